import PrunecGraphIR
import PrunecTensors

/// Makes small graphs at random that are valid by construction: the same seed gives the same graph.
///
/// A graph grows from one input by layers put on values made so far: images (four axes), sequences
/// (three) and vectors (two). What nothing has used in the end gets a head, which becomes an output.
package struct RandomGraph {
  /// A value that layers can be put on, and its extents after the batch axis.
  struct Feature {
    let value: ValueID
    let extents: [Int]
  }

  var graph = Graph(name: "main", opsetImports: [OpsetImport("", 21)])
  private var random: SplitMix64
  /// What can be built upon, in order of creation.
  private var features: [Feature] = []
  private let batch: Dimension
  private var nodeNumber = 0

  /// The model that belongs to `seed`.
  package static func model(seed: UInt64) -> Model {
    var builder = RandomGraph(seed: seed)
    builder.build()
    return Model(irVersion: 10, graph: builder.graph)
  }

  private init(seed: UInt64) {
    random = SplitMix64(seed: seed)
    let batches: [Dimension] = [.symbol("N"), .fixed(1), .fixed(2)]
    batch = batches[Int(random.next() % 3)]
  }

  private mutating func build() {
    let size = pick([3, 4])
    let extents = pick([[pick([1, 3]), size, size], [size, pick([4, 6])], [pick([4, 6])]])
    let type = ValueType.tensor(.float32, [batch] + extents.map { .fixed($0) })
    let first = Feature(value: graph.addInput(name: "x", type: type), extents: extents)
    // A layer first: the input's own channels are pinned, and so is all that keeps them.
    switch extents.count {
    case 3: push(convolution(first, channels: pick([4, 6, 8])))
    case 2: push(projection(first, to: pick([4, 6, 8])))
    default: push(dense(first, to: pick([4, 6, 8])))
    }
    for _ in 0..<pick([2, 4, 6, 8]) { grow() }
    let ends = features.filter { graph[$0.value].uses.isEmpty }
    for (index, end) in ends.enumerated() { finish(end, named: "y\(index)") }
  }

  private mutating func grow() {
    let feature = chance(70) ? features.last! : pick(features)
    if chance(20), feature.extents.reduce(1, *) < 200, let made = rarity(feature) {
      push(made)
      return
    }
    switch feature.extents.count {
    case 3: growImage(feature)
    case 2: growSequence(feature)
    default: growVector(feature)
    }
  }

  /// Gives a value a head of four outputs; now and then the value itself is the output.
  private mutating func finish(_ end: Feature, named name: String) {
    if chance(10) {
      let result = add("Identity", [end.value], named: name)
      graph.setType(of: result, to: type(end.extents))
      graph.addOutput(name: name, result)
      return
    }
    var vector = end
    switch (end.extents.count, chance(50)) {
    case (3, true):
      let pooled = add("GlobalAveragePool", [end.value])
      vector = flattened(Feature(value: pooled, extents: [end.extents[0], 1, 1]))
    case (2, true): vector = tokenMean(end)
    case (1, _): break
    default: vector = flattened(end)
    }
    let weight = constant([vector.extents[0], 4])
    let result = add("Gemm", [vector.value, weight, constant([4])], named: name)
    graph.setType(of: result, to: type([4]))
    graph.addOutput(name: name, result)
  }

  private func type(_ extents: [Int]) -> ValueType {
    .tensor(.float32, [batch] + extents.map { .fixed($0) })
  }

  // MARK: Choices

  mutating func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

  mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }

  /// True in so many cases out of a hundred.
  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

  /// A divisor of `number` other than one and itself, if it has any.
  mutating func properDivisor(of number: Int) -> Int? {
    let divisors = (1..<number).dropFirst().filter { number % $0 == 0 }
    return divisors.isEmpty ? nil : pick(divisors)
  }

  /// An earlier value of the same extents.
  mutating func alike(_ feature: Feature) -> Feature? {
    let others = features.filter { $0.extents == feature.extents && $0.value != feature.value }
    return others.isEmpty ? nil : pick(others)
  }

  // MARK: Parts

  mutating func push(_ feature: Feature) { features.append(feature) }

  /// Adds a node of one result.
  mutating func add(
    _ operation: String, _ inputs: [ValueID?], _ attributes: [Attribute] = [],
    named name: String? = nil
  ) -> ValueID {
    add(operation, inputs, attributes, results: 1, named: name)[0]
  }

  mutating func add(
    _ operation: String, _ inputs: [ValueID?], _ attributes: [Attribute] = [], results: Int,
    named name: String? = nil
  ) -> [ValueID] {
    nodeNumber += 1
    let node = "\(operation.lowercased())\(nodeNumber)"
    let names = (0..<results).map {
      name ?? (results == 1 ? "t\(nodeNumber)" : "t\(nodeNumber)_\($0)")
    }
    let id = graph.insert(
      OperationName(operation), name: node, inputs: inputs, outputs: names.map { ($0, nil) },
      attributes: attributes, at: .atEnd)
    return graph[id].outputs.map { $0! }
  }

  /// A random constant whose elements shrink with the number of those that are summed.
  mutating func constant(_ shape: [Int]) -> ValueID {
    let scale = 1 / Float(max(1, shape.dropFirst().reduce(1, *))).squareRoot()
    let elements = (0..<shape.elementCount).map { _ in random.nextNormal() * scale }
    let id = initializer(Tensor(elements, shape: shape))
    if chance(6) { return quantizedConstant(elements, shape) }
    // Exporters share equal weights through Identity nodes.
    return shape.count > 1 && chance(8) ? add("Identity", [id]) : id
  }

  /// A weight of eight bits, with one scale or one for each index of an axis.
  private mutating func quantizedConstant(_ elements: [Float], _ shape: [Int]) -> ValueID {
    let axis = below(shape.count)
    let count = chance(50) ? shape[axis] : 1
    let scales = (0..<count).map { 0.01 * Float($0 % 3 + 1) }
    let inner = shape[(axis + 1)...].reduce(1, *)
    let quantized = elements.indices.map { index in
      Int8(clamping: Int((elements[index] / scales[index / inner % shape[axis] % count]).rounded()))
    }
    let inputs = [
      initializer(Tensor(.int8, shape: shape, elements: quantized)),
      initializer(Tensor(scales, shape: count == 1 ? [] : [count])),
    ]
    return add("DequantizeLinear", inputs, [Attribute("axis", axis)])
  }

  mutating func positiveConstant(_ shape: [Int]) -> ValueID {
    let elements = (0..<shape.elementCount).map { _ in 0.5 + random.nextUniform() }
    return initializer(Tensor(elements, shape: shape))
  }

  mutating func integers(_ elements: [Int]) -> ValueID { initializer(Tensor(elements)) }

  mutating func integer(_ number: Int) -> ValueID {
    initializer(Tensor(.int64, shape: [], elements: [Int64(number)]))
  }

  mutating func initializer(_ tensor: Tensor) -> ValueID {
    graph.addInitializer(name: graph.uniqueName("c"), tensor)
  }

  /// Reshapes everything but the batch axis, in one of the ways that exporters write.
  mutating func reshaped(_ value: ValueID, _ extents: [Int]) -> ValueID {
    switch below(4) {
    case 0:
      let shape = add("Shape", [value])
      let batch = add(
        "Gather", [shape, integer(0)], [Attribute("axis", 0)])
      let vector = add("Unsqueeze", [batch, integers([0])])
      let target = add("Concat", [vector, integers(extents)], [Attribute("axis", 0)])
      return add("Reshape", [value, target])
    case 1: return add("Reshape", [value, integers([-1] + extents)])
    default: return add("Reshape", [value, integers([0] + extents)])
    }
  }

  mutating func transposed(_ value: ValueID, _ permutation: [Int]) -> ValueID {
    add("Transpose", [value], [Attribute("perm", permutation)])
  }

  mutating func activation(_ feature: Feature) -> Feature {
    let operations = ["Relu", "Sigmoid", "Tanh", "LeakyRelu", "HardSwish", "Gelu", "Softplus"]
    return Feature(value: add(pick(operations), [feature.value]), extents: feature.extents)
  }

  /// Two values joined along the axis of channels, which is `axis`.
  mutating func concatenated(_ a: Feature, _ b: Feature, axis: Int) -> Feature {
    var extents = a.extents
    extents[axis - 1] += b.extents[axis - 1]
    let joined = add("Concat", [a.value, b.value], [Attribute("axis", axis)])
    return Feature(value: joined, extents: extents)
  }

  /// Splits along `axis` in two, not always in halves.
  mutating func halves(_ feature: Feature, axis: Int) -> [Feature]? {
    let extent = feature.extents[axis - 1]
    guard extent > 1 else { return nil }
    let first = extent % 2 == 0 && chance(70) ? extent / 2 : 1 + below(extent - 1)
    let sizes = integers([first, extent - first])
    let parts = add("Split", [feature.value, sizes], [Attribute("axis", axis)], results: 2)
    return zip(parts, [first, extent - first]).map { part, size in
      var extents = feature.extents
      extents[axis - 1] = size
      return Feature(value: part, extents: extents)
    }
  }

  /// A contiguous or strided part along `axis`.
  mutating func sliced(_ feature: Feature, axis: Int) -> Feature? {
    let extent = feature.extents[axis - 1]
    guard extent > 2 else { return nil }
    let start = below(extent - 1)
    let end = start + 1 + below(extent - start)
    let step = pick([1, 1, 2])
    var extents = feature.extents
    extents[axis - 1] = (end - start + step - 1) / step
    let inputs = [
      feature.value, integers([start]), integers([end]), integers([axis]), integers([step]),
    ]
    return Feature(value: add("Slice", inputs), extents: extents)
  }

  mutating func flattened(_ feature: Feature) -> Feature {
    let count = feature.extents.reduce(1, *)
    let value =
      chance(50) ? add("Flatten", [feature.value]) : reshaped(feature.value, [count])
    return Feature(value: value, extents: [count])
  }
}
