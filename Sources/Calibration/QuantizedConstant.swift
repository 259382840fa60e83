import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// A constant in floating point that is stored as integers, `(q - zero) scale`, behind a DequantizeLinear that only one node reads.
///
/// Scale and zero point are those of the whole tensor, or of each index of one axis.
struct QuantizedConstant: Sendable {
  /// The name of the stored integers.
  let name: String
  private let integers, scale: ValueID
  private let zeroPoint: ValueID?
  /// The stored tensors.
  private let oldIntegers, oldScale: Tensor
  private let oldZeroPoint: Tensor?
  /// The axis that scales are of, if not of the whole tensor.
  private let axis: Int?

  /// New elements on a grid of their own.
  struct Rounding {
    /// The constants to be stored.
    let constants: [(value: ValueID, tensor: Tensor)]
    /// The elements that they stand for.
    let tensor: Tensor
    /// For each scale the new one through the old one.
    let scaleFactors: [Float]
  }

  /// Puts constants in floating point in the place of a graph's quantised ones; gives what they stand for.
  static func unpack(in graph: inout Graph) -> [ValueID: QuantizedConstant] {
    var found: [ValueID: QuantizedConstant] = [:]
    for id in Array(graph.nodes) {
      guard let constant = QuantizedConstant(id, graph), let old = graph.node(id)?.outputs[0]
      else { continue }
      let name = graph.uniqueName(graph[old].name)
      let new = graph.addInitializer(name: name, constant.tensor)
      graph.replaceAllUses(of: old, with: new)
      graph.erase(id)
      found[new] = constant
    }
    return found
  }

  private init?(_ id: NodeID, _ graph: Graph) {
    guard let node = graph.node(id), node.operation.type == "DequantizeLinear",
      let result = node.outputs[0], let uses = graph.value(result)?.uses, uses.count == 1,
      uses[0].node != nil, node.inputs.count >= 2, let integers = node.inputs[0],
      let scale = node.inputs[1], graph[integers].uses.count == 1, graph[scale].uses.count == 1,
      let q = graph[integers].constant, let s = graph[scale].constant, q.hasData, s.hasData,
      [.int8, .uint8, .int32].contains(q.elementType), s.elementType.isFloatingPoint,
      ["block_size", "output_dtype"].allSatisfy({ Self.int($0, node) ?? 0 == 0 })
    else { return nil }
    let zeroPoint = node.inputs.count > 2 ? node.inputs[2] : nil
    let zero = zeroPoint.flatMap { graph[$0].constant }
    guard zeroPoint == nil || zero?.count == s.count && zero!.hasData, q.count > 0 else {
      return nil
    }
    if s.count == 1 {
      axis = nil
    } else {
      let given = Self.int("axis", node) ?? 1
      let axis = q.rank == 1 ? 0 : given < 0 ? given + q.rank : given
      guard s.rank == 1, q.shape.indices.contains(axis), q.shape[axis] == s.count else {
        return nil
      }
      self.axis = axis
    }
    (self.integers, self.scale, self.zeroPoint) = (integers, scale, zeroPoint)
    (oldIntegers, oldScale, oldZeroPoint) = (q, s, zero)
    name = graph[integers].name
    // A zero point that moves must be of this constant alone.
    guard isSymmetric || zeroPoint.map({ graph[$0].uses.count == 1 }) ?? false else { return nil }
  }

  private static func int(_ name: String, _ node: Node) -> Int? {
    guard case .int(let value)? = node.attributes.first(where: { $0.name == name })?.value else {
      return nil
    }
    return Int(value)
  }

  /// Whether it is a bias, whose scale is the product of those of its layer's data and weight.
  var isBias: Bool { oldIntegers.elementType == .int32 }

  /// Whether zero points are those that make as many integers negative as positive.
  private var isSymmetric: Bool {
    let middle = oldIntegers.elementType == .uint8 ? 128 : 0
    return (oldZeroPoint?.integers ?? [0]).allSatisfy { $0 == middle }
  }

  /// For each element the index of its scale.
  private var scaleIndices: [Int] {
    let shape = oldIntegers.shape
    guard let axis else { return [Int](repeating: 0, count: shape.reduce(1, *)) }
    let inner = shape[(axis + 1)...].reduce(1, *)
    return (0..<shape.reduce(1, *)).map { $0 / inner % shape[axis] }
  }

  private func tensor(_ integers: [Int], _ scales: [Float], _ zeros: [Int]) -> Tensor {
    Tensor(
      rounding: zip(integers, scaleIndices).map { Float($0 - zeros[$1]) * scales[$1] },
      to: oldScale.elementType, shape: oldIntegers.shape)
  }

  private var zeros: [Int] {
    oldZeroPoint?.integers ?? [Int](repeating: 0, count: oldScale.count)
  }

  /// The elements.
  private var tensor: Tensor { tensor(oldIntegers.integers, oldScale.floats, zeros) }

  /// The elements nearest to `elements` with scales, and zero points where they are not in the middle, that take the range which the
  /// integers have had. `nil` where that is empty, or elements are too many for it.
  func rounding(_ elements: [Float]) -> Rounding? {
    let (old, indices) = (oldIntegers.integers, scaleIndices)
    var (least, greatest) = (
      [Float](repeating: 0, count: oldScale.count), [Float](repeating: 0, count: oldScale.count)
    )
    for (element, index) in zip(elements, indices) {
      least[index] = min(least[index], element)
      greatest[index] = max(greatest[index], element)
    }
    var (scales, zeros) = (oldScale.floats, zeros)
    var (low, high) = (old.min()!, old.max()!)
    if isSymmetric {
      let limit = old.map { abs($0 - zeros[0]) }.max()!
      (low, high) = (zeros[0] - limit, zeros[0] + limit)
      // The least integer has no counterpart.
      high = min(high, oldIntegers.elementType.integerRange.upperBound)
      guard high > zeros[0] else { return nil }
      for index in scales.indices {
        let most = max(greatest[index], -least[index])
        if most > 0 { scales[index] = most / Float(high - zeros[0]) }
      }
    } else {
      guard high > low else { return nil }
      for index in scales.indices where greatest[index] > least[index] {
        scales[index] = (greatest[index] - least[index]) / Float(high - low)
      }
    }
    scales = Tensor(rounding: scales, to: oldScale.elementType, shape: oldScale.shape).floats
    guard scales.allSatisfy({ $0.isFinite && $0 > 0 }) else { return nil }
    if !isSymmetric {
      for index in scales.indices {
        let zero = (Float(low) - least[index] / scales[index]).rounded(.toNearestOrEven)
        zeros[index] = Int(max(Float(low), min(Float(high), zero)))
      }
    }
    return rounding(elements, scales, zeros, low...high)
  }

  /// The elements nearest to `elements` where scales go with those of a weight: one for all, or as many as there are here.
  func rounding(_ elements: [Float], scaleFactors: [Float]) -> Rounding? {
    let old = oldScale.floats
    let fits = scaleFactors.count == 1 || scaleFactors.count == old.count
    let scales = Tensor(
      rounding: old.indices.map {
        fits ? old[$0] * scaleFactors[scaleFactors.count == 1 ? 0 : $0] : old[$0]
      }, to: oldScale.elementType, shape: oldScale.shape
    ).floats
    guard scales.allSatisfy({ $0.isFinite && $0 > 0 }) else { return nil }
    return rounding(elements, scales, zeros, oldIntegers.elementType.integerRange)
  }

  private func rounding(
    _ elements: [Float], _ scales: [Float], _ zeros: [Int], _ range: ClosedRange<Int>
  ) -> Rounding? {
    guard elements.allSatisfy(\.isFinite) else { return nil }
    let new = zip(elements, scaleIndices).map { element, index in
      let rounded = Double((element / scales[index]).rounded(.toNearestOrEven))
      let most = Double(range.upperBound - zeros[index])
      return Int(max(Double(range.lowerBound - zeros[index]), min(most, rounded))) + zeros[index]
    }
    var constants = [
      (
        value: integers,
        tensor: Tensor(wrapping: new, to: oldIntegers.elementType, shape: oldIntegers.shape)
      ),
      (
        value: scale,
        tensor: Tensor(rounding: scales, to: oldScale.elementType, shape: oldScale.shape)
      ),
    ]
    if let zeroPoint, let old = oldZeroPoint, zeros != self.zeros {
      constants.append(
        (
          value: zeroPoint,
          tensor: Tensor(wrapping: zeros, to: old.elementType, shape: old.shape)
        ))
    }
    return Rounding(
      constants: constants, tensor: tensor(new, scales, zeros),
      scaleFactors: zip(scales, oldScale.floats).map { $0 / $1 })
  }
}
