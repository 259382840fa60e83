import CPrunecKernels
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// Turns a graph, for inputs of given shapes, into steps: which kernel runs when, on which memory.
///
/// One walk over the nodes in their order. A node whose operator has a computation becomes a kernel's step, or no
/// step at all where its result is but a view of what is there; every other is executed by its operator's
/// `evaluate`. Steps may take in the nodes that follow: activations, sums, and chains of element-wise operators.
struct Planner {
  let graph: Graph
  let facts: GraphFacts
  /// The nodes whose sums are to be those of their terms as they are.
  let exactSums: Set<NodeID>
  let threadCount: Int
  /// What has been evaluated and packed for another plan of the same model.
  let weights: WeightCache

  var buffers: [Buffer] = []
  var steps: [Step] = []
  var places: [ValueID: Place] = [:]
  var boxCount = 0
  /// Nodes that are part of an earlier step.
  var absorbed: Set<NodeID> = []
  /// Values that lie in a part of another's buffer.
  var slots: [ValueID: ConcatenationSlot]
  /// The buffers of concatenations that an operand has been computed into, and their orders.
  var parents: [ValueID: (view: View, order: [Int])] = [:]
  /// Constants that no view can hold.
  var boxed: [(box: Int, tensor: Tensor)] = []
  /// Views that have been copied into another order.
  var rearranged: [Rearrangement: View] = [:]

  /// Where a value is.
  enum Place {
    case view(View)
    /// In no buffer, but a tensor of its own.
    case box(Int)

    /// What a copy of the elements takes; 0 for what is a tensor already.
    var byteCount: Int {
      if case .view(let view) = self { view.shape.elementCount * view.elementSize } else { 0 }
    }
  }

  struct Rearrangement: Hashable {
    var view: View
    var order: [Int]
  }

  init(
    _ graph: Graph, _ facts: GraphFacts, exactSums: Set<NodeID>, threadCount: Int,
    weights: WeightCache
  ) throws(CompileError) {
    self.graph = graph
    self.facts = facts
    self.exactSums = exactSums
    self.threadCount = threadCount
    self.weights = weights
    slots = try ConcatenationSlot.slots(of: graph, facts)
    for input in graph.inputs { places[input] = place(for: input) }
    for node in graph.nodes where !absorbed.contains(node) { try lower(node) }
  }

  // MARK: Nodes

  private mutating func lower(_ id: NodeID) throws(CompileError) {
    let node = graph[id]
    let results = node.outputs.compactMap { $0 }
    if results.allSatisfy({ isKnown($0) || graph[$0].uses.isEmpty }) {
      return
    }
    if let computation = try facts.kernelComputation(of: id), try lower(id, computation) { return }
    try addReferenceStep(id)
  }

  /// Adds the steps of a computation; `false` where its form is not covered.
  private mutating func lower(
    _ id: NodeID, _ computation: Computation
  ) throws(CompileError) -> Bool {
    switch computation {
    case .views(let steps): return try lowerViews(id, steps)
    case .concatenation(let axis): return try lowerConcatenation(id, axis: axis)
    case .elementwise(let formula): return try lowerElementwise(id, formula)
    case .convolution(let convolution): return try lowerConvolution(id, convolution)
    case .matrixProduct(let product): return try lowerMatrixProduct(id, product)
    case .pooling(let pooling): return try lowerPooling(id, pooling)
    case .softmax(let axis, let isLogarithm):
      return try lowerSoftmax(id, axis: axis, isLogarithm: isLogarithm)
    case .normalization(let normalization): return try lowerNormalization(id, normalization)
    case .localResponse(let response): return try lowerLocalResponse(id, response)
    case .reduction(let kind, let axes): return try lowerReduction(id, kind, axes: axes)
    case .gather(let axis): return try lowerGather(id, axis: axis)
    case .padding(let before, let after, let padding):
      return try lowerPadding(id, before: before, after: after, padding)
    case .scatter(let axis, let reduction):
      return try lowerScatter(id, axis: axis, reduction)
    case .contraction(let contraction): return try lowerContraction(id, contraction)
    case .recurrence(let recurrence): return try lowerRecurrence(id, recurrence)
    case .resampling(let neighbours): return try lowerResampling(id, neighbours)
    }
  }

  private mutating func addReferenceStep(_ id: NodeID) throws(CompileError) {
    let node = graph[id]
    if case .notUnderstood(let reason) = facts.resolution(of: id),
      node.attributes.allSatisfy(\.graphs.isEmpty)
    {
      throw CompileError(.unsupported, "cannot be run: \(reason)", at: graph.location(of: id))
    }
    var reads: [Int] = []
    var operands: [ReferenceStep.Operand?] = []
    for input in node.inputs {
      operands.append(try input.map { (input) throws(CompileError) in try operand(input, &reads) })
    }
    var captures: [ReferenceStep.Operand] = []
    for capture in node.captures { captures.append(try operand(capture, &reads)) }
    var writes: [Int] = []
    var results: [Place?] = []
    for output in node.outputs {
      guard let output, !graph[output].uses.isEmpty else {
        results.append(nil)
        continue
      }
      let place = place(for: output)
      if case .view(let view) = place { writes.append(view.buffer) }
      places[output] = place
      results.append(place)
    }
    let reference = ReferenceStep(
      graph, id, operands: operands, captures: captures, results: results,
      bodies: try weights.bodies(of: id, facts))
    var step = Step([id], ReferenceStep.kernel, reads: reads, writes: writes) { memory in
      .reference(reference, memory)
    }
    step.copiedByteCount = (operands + captures).reduce(0) { $0 + ($1?.place?.byteCount ?? 0) }
    steps.append(step)
  }

  private mutating func operand(
    _ value: ValueID, _ reads: inout [Int]
  ) throws(CompileError) -> ReferenceStep.Operand {
    if isKnown(value) { return .constant(try tensor(of: value)) }
    let place = try place(of: value)
    if case .view(let view) = place { reads.append(view.buffer) }
    return .place(place, facts[value].elementType)
  }

  // MARK: Values

  /// A new place for a value: a row-major view, or a box where a view cannot hold it.
  private mutating func place(for value: ValueID) -> Place {
    let known = facts[value]
    if View.holds(known) {
      return .view(newView(View.storage(of: known.elementType!)!, known.fixedShape!))
    }
    boxCount += 1
    return .box(boxCount - 1)
  }

  /// Where a value is; constants get a buffer when they are first asked for.
  mutating func place(of value: ValueID) throws(CompileError) -> Place {
    if let place = places[value] { return place }
    let place: Place
    if facts.isFixed(value), View.holds(facts[value]) {
      let type = View.storage(of: facts[value].elementType!)!
      buffers.append(Buffer(byteCount: 0, constant: .value(value)))
      place = .view(View(buffer: buffers.count - 1, type: type, shape: shape(of: value)))
    } else {
      let tensor = try tensor(of: value)
      if View.storage(of: tensor.elementType) != nil {
        place = .view(newConstant(tensor))
      } else {
        place = .box(boxCount)
        boxCount += 1
        boxed.append((boxCount - 1, tensor))
      }
    }
    places[value] = place
    return place
  }

  /// The view of a value; `nil` where it is in a box.
  mutating func view(of value: ValueID) throws(CompileError) -> View? {
    if case .view(let view) = try place(of: value) { return view }
    return nil
  }

  /// The views of all operands of a node; `nil` where one has none.
  mutating func operandViews(_ id: NodeID) throws(CompileError) -> [View?]? {
    var views: [View?] = []
    for input in graph[id].inputs {
      guard let input else {
        views.append(nil)
        continue
      }
      guard let view = try view(of: input) else { return nil }
      views.append(view)
    }
    return views
  }

  /// Whether the elements are known before anything is run.
  func isKnown(_ value: ValueID) -> Bool {
    facts.isFixed(value) || facts[value].knownTensor != nil
  }

  /// The elements of a known value.
  func tensor(of value: ValueID) throws(CompileError) -> Tensor {
    if facts.isFixed(value) { return try weights.tensor(value) }
    guard let known = facts[value].knownTensor else {
      preconditionFailure("'\(graph[value].name)' is used before it is computed")
    }
    return known
  }

  /// Whether the value is there already, for a step that is added now.
  func isAvailable(_ value: ValueID) -> Bool { places[value] != nil || isKnown(value) }

  func shape(of value: ValueID) -> [Int] { facts[value].fixedShape! }

  // MARK: Memory

  mutating func newView(_ type: ElementType, _ shape: [Int], order: [Int]? = nil) -> View {
    buffers.append(Buffer(byteCount: shape.elementCount * type.bitWidth / 8))
    return View(buffer: buffers.count - 1, type: type, shape: shape, order: order)
  }

  mutating func newConstant(_ tensor: Tensor) -> View {
    buffers.append(Buffer(byteCount: 0, constant: .tensor(tensor)))
    let type = View.storage(of: tensor.elementType)!
    return View(buffer: buffers.count - 1, type: type, shape: tensor.shape)
  }

  /// A view for the result of a step: of elements in the given order, in a part of a concatenation's buffer where the
  /// value has one.
  mutating func result(_ value: ValueID, order: [Int]? = nil) -> View {
    let shape = shape(of: value)
    let type = View.storage(of: facts[value].elementType!)!
    let order = order ?? Array(shape.indices)
    let view = slotView(value, order: order) ?? newView(type, shape, order: order)
    places[value] = .view(view)
    return view
  }

  /// The elements of `view` in the given order of axes without gaps, copied where they are not so.
  mutating func dense(_ view: View, order: [Int], for id: NodeID) -> View {
    if view.isDense(inOrder: order) { return view }
    let key = Rearrangement(view: view, order: order)
    if let known = rearranged[key] { return known }
    let copy: View
    if let constant = buffers[view.buffer].constant {
      copy = View(buffer: buffers.count, type: view.type, shape: view.shape, order: order)
      buffers.append(
        Buffer(byteCount: 0, constant: .rearranged(constant, view, order: order)))
    } else {
      copy = newView(view.type, view.shape, order: order)
      addCopy(id, from: view, to: copy)
    }
    rearranged[key] = copy
    return copy
  }

  mutating func addCopy(_ id: NodeID, from source: View, to target: View) {
    for (source, target) in View.copyable(from: source, to: target) {
      steps.append(
        Step([id], "copy", reads: [source.buffer], writes: [target.buffer]) { memory in
          .kernel(.copy(from: memory[source], source, to: memory[target], target))
        })
    }
  }
}
