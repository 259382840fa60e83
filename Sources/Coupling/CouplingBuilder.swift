/// Applies the relations of all nodes to the union-find.
struct CouplingBuilder {
  let graph: Graph
  let facts: GraphFacts
  let options: CouplingAnalysis.Options
  let table: AxisTable
  var sets: UnionFind
  private var extentFlow: ExtentFlow
  /// Reasons for pins, by number; number 0 is no reason.
  private(set) var reasons: [PinReason?] = [nil]
  private var splits: [Split] = []
  private static let trivial = PinReason("a single index")
  private static let extentIsUsed = "its extent is used in a computation"

  /// A split whose direction is not decided yet. Elements are numbers of the union-find.
  private struct Split {
    let whole: Range<Int>
    /// Factors with more than one index: their elements and their stride in the whole.
    let factors: [(elements: Range<Int>, stride: Int)]
    let location: Location
  }

  init(_ graph: Graph, _ facts: GraphFacts, _ options: CouplingAnalysis.Options) {
    self.graph = graph
    self.facts = facts
    self.options = options
    table = AxisTable(graph, facts)
    sets = UnionFind(count: table.elementCount)
    extentFlow = ExtentFlow(graph, facts)
  }

  mutating func run() {
    pinSignature()
    for id in graph.nodes { relate(id) }
    pinExtentsThatLeave()
    resolveSplits()
  }

  // MARK: Pins

  private mutating func number(_ reason: PinReason) -> Int32 {
    if reasons.last! == reason { return Int32(reasons.count - 1) }
    reasons.append(reason)
    return Int32(reasons.count - 1)
  }

  private mutating func pin(_ elements: Range<Int>, _ reason: PinReason) {
    let number = number(reason)
    for element in elements { sets.pin(element, because: number) }
  }

  private mutating func pin(_ value: ValueID, _ reason: PinReason) {
    for slot in table.slots(of: value) { pin(slot.elements, reason) }
  }

  private mutating func pinSignature() {
    for slot in table.slots where slot.extent == 1 { pin(slot.elements, Self.trivial) }
    for id in graph.inputs {
      pin(id, PinReason("is an input of the graph", at: .value(graph[id].name)))
    }
    for id in graph.captures {
      pin(id, PinReason("comes from the surrounding graph", at: .value(graph[id].name)))
    }
    for id in graph.initializers where graph[id].constant == nil {
      pin(id, PinReason("is a sparse constant", at: .value(graph[id].name)))
    }
    for id in graph.initializers where graph[id].uses.isEmpty {
      pin(id, PinReason("is not used", at: .value(graph[id].name)))
    }
    for output in graph.outputs {
      pin(output.value, PinReason("is an output of the graph", at: .value(output.name)))
    }
    for id in graph.nodes {
      for capture in graph[id].captures {
        pin(capture, PinReason("is used inside a subgraph", at: graph.location(of: id)))
      }
    }
  }

  // MARK: Relations

  private mutating func relate(_ id: NodeID) {
    let node = graph[id]
    let location = graph.location(of: id)
    if case .notUnderstood(let because) = facts.resolution(of: id) {
      let reason = PinReason(because, at: location)
      for value in node.inputs + node.outputs {
        if let value { pin(value, reason) }
      }
      followExtents(id, [], node, location)
      return
    }
    var mentioned: Set<AxisReference> = []
    var virtuals: [Int: Range<Int>] = [:]
    let relations = facts.relations(of: id)
    for relation in relations { apply(relation, node, location, &mentioned, &virtuals) }
    followExtents(id, relations, node, location)
    pinSumsOfConstants(id, node, location)
    let silence = PinReason("the axis is not one of channels here", at: location)
    for (index, value) in node.inputs.enumerated() {
      guard let value else { continue }
      for slot in table.slots(of: value)
      where !mentioned.contains(.operand(index, axis: slot.axis.index)) {
        pin(slot.elements, silence)
      }
    }
    for (index, value) in node.outputs.enumerated() {
      guard let value else { continue }
      for slot in table.slots(of: value)
      where !mentioned.contains(.result(index, axis: slot.axis.index)) {
        pin(slot.elements, silence)
      }
    }
  }

  /// Where all that a node sums over is constant, no mask can stand before it.
  private mutating func pinSumsOfConstants(_ id: NodeID, _ node: Node, _ location: Location) {
    var summed: [Axis] = []
    for relation in facts.relations(of: id) {
      guard case .sum(let reference) = relation, case .operand(let index) = reference.slot,
        index < node.inputs.count, let value = node.inputs[index]
      else { continue }
      summed.append(Axis(value, reference.axis))
    }
    guard summed.allSatisfy({ graph[$0.value].constant != nil }) else { return }
    for axis in summed {
      guard let slot = table.slot(axis) else { continue }
      pin(slot.elements, PinReason("is summed over by constants alone", at: location))
    }
  }

  /// The elements of an axis of a node; `nil` where its extent is no number.
  private mutating func elements(
    _ reference: AxisReference, _ node: Node, _ virtuals: inout [Int: Range<Int>]
  ) -> Range<Int>? {
    switch reference.slot {
    case .operand(let index):
      guard index < node.inputs.count, let value = node.inputs[index] else { return nil }
      return table.slot(Axis(value, reference.axis))?.elements
    case .result(let index):
      guard index < node.outputs.count, let value = node.outputs[index] else { return nil }
      return table.slot(Axis(value, reference.axis))?.elements
    case .virtual(let index):
      if let known = virtuals[index] { return known }
      guard reference.axis <= AxisTable.extentLimit,
        sets.count + reference.axis <= 2 * AxisTable.elementLimit(of: graph)
      else { return nil }
      let first = sets.append(reference.axis)
      virtuals[index] = first..<(first + reference.axis)
      if reference.axis == 1 { pin(first..<(first + 1), Self.trivial) }
      return virtuals[index]
    }
  }

  private mutating func apply(
    _ relation: Relation, _ node: Node, _ location: Location,
    _ mentioned: inout Set<AxisReference>, _ virtuals: inout [Int: Range<Int>]
  ) {
    /// Marks axes as mentioned and gives their elements. An axis related to one without a fixed
    /// extent is pinned.
    func resolve(_ references: [AxisReference]) -> [Range<Int>]? {
      mentioned.formUnion(references)
      let found = references.map { elements($0, node, &virtuals) }
      let known = found.compactMap { $0 }
      if known.count == references.count { return known }
      for elements in known {
        pin(elements, PinReason("is tied to an axis without a fixed extent", at: location))
      }
      return nil
    }

    switch relation {
    case .equal(let a, let b):
      guard let axes = resolve([a, b]) else { return }
      precondition(axes[0].count == axes[1].count, "\(node.operation): unequal axes")
      for (x, y) in zip(axes[0], axes[1]) { sets.union(x, y) }
    case .section(let part, let whole, let start, let step):
      guard let axes = resolve([part, whole]) else { return }
      for (index, element) in axes[0].enumerated() {
        sets.union(element, axes[1].lowerBound + start + index * step)
      }
    case .selection(let part, let whole, let indices):
      guard let axes = resolve([part, whole]) else { return }
      for (element, index) in zip(axes[0], indices) {
        sets.union(element, axes[1].lowerBound + index)
      }
    case .split(let whole, let factors):
      guard let axes = resolve([whole] + factors) else { return }
      var stride = axes[0].count
      var wide: [(elements: Range<Int>, stride: Int)] = []
      for factor in axes[1...] {
        stride /= factor.count
        if factor.count > 1 { wide.append((factor, stride)) }
      }
      precondition(stride == 1, "\(node.operation): factors do not multiply to the whole")
      splits.append(Split(whole: axes[0], factors: wide, location: location))
    case .pinned(let axis, let reason):
      guard let axes = resolve([axis]) else { return }
      pin(axes[0], PinReason(reason, at: location))
    case .free(let axis), .sum(let axis), .normalization(let axis):
      mentioned.insert(axis)
    case .given(let axis, _, _): mentioned.insert(axis)
    case .extents(let operand, _):
      let rank = node.inputs[operand].flatMap { facts[$0].rank } ?? 0
      for axis in 0..<rank { mentioned.insert(.operand(operand, axis: axis)) }
    }
  }

  // MARK: Extents read at run time

  /// An axis whose extent says how long another axis is goes with it. Axes whose extent a node computes
  /// with are pinned, for what it computes would change with the extent.
  private mutating func followExtents(
    _ id: NodeID, _ relations: [Relation], _ node: Node, _ location: Location
  ) {
    let effect = extentFlow.pass(id, relations)
    for axis in effect.used {
      guard let slot = table.slot(axis) else { continue }
      pin(slot.elements, PinReason(Self.extentIsUsed, at: location))
    }
    var virtuals: [Int: Range<Int>] = [:]
    for (reference, origin) in effect.given {
      let axis = elements(reference, node, &virtuals)
      let source = origin.flatMap { table.slot($0)?.elements }
      if let axis, let source, axis.count == source.count {
        for (x, y) in zip(axis, source) { sets.union(x, y) }
        continue
      }
      if let axis { pin(axis, PinReason("target shape is not constant", at: location)) }
      if let source { pin(source, PinReason(Self.extentIsUsed, at: location)) }
    }
  }

  /// Extents that leave the graph are used outside.
  private mutating func pinExtentsThatLeave() {
    for output in graph.outputs {
      for axis in extentFlow.origins(in: output.value) {
        guard let slot = table.slot(axis) else { continue }
        let reason = PinReason("its extent is an output of the graph", at: .value(output.name))
        pin(slot.elements, reason)
      }
    }
    for id in graph.nodes {
      for axis in graph[id].captures.flatMap({ extentFlow.origins(in: $0) }) {
        guard let slot = table.slot(axis) else { continue }
        let reason = PinReason("its extent is used inside a subgraph", at: graph.location(of: id))
        pin(slot.elements, reason)
      }
    }
  }

  // MARK: Splits

  private mutating func isCuttable(_ elements: Range<Int>) -> Bool {
    for element in elements where sets.pin(of: element) == 0 { return true }
    return false
  }

  private mutating func resolveSplits() {
    var open = splits
    while !open.isEmpty {
      var ambiguous: [Split] = []
      for split in open where !resolve(split) { ambiguous.append(split) }
      // No split became clear by itself: decide the first, and see what follows from it.
      if ambiguous.count == open.count { decide(ambiguous[0]) }
      open = ambiguous
    }
  }

  /// Applies a split of which at most one factor can be cut, and says whether it did.
  private mutating func resolve(_ split: Split) -> Bool {
    let candidates = split.factors.filter { isCuttable($0.elements) }
    guard isCuttable(split.whole) else {
      for candidate in candidates {
        pin(candidate.elements, PinReason("is part of an axis that is pinned", at: split.location))
      }
      return true
    }
    guard let factor = candidates.first else {
      pin(split.whole, PinReason("all its factors are pinned", at: split.location))
      return true
    }
    guard candidates.count == 1 else { return false }
    for (offset, element) in split.whole.enumerated() {
      let index = offset / factor.stride % factor.elements.count
      sets.union(element, factor.elements.lowerBound + index)
    }
    return true
  }

  private mutating func decide(_ split: Split) {
    let candidates = split.factors.filter { isCuttable($0.elements) }
    let chosen = options.direction == .outer ? candidates.startIndex : candidates.endIndex - 1
    for (index, candidate) in candidates.enumerated() where index != chosen {
      pin(
        candidate.elements,
        PinReason(
          "the axis is cut along its \(options.direction.rawValue) factor", at: split.location))
    }
  }
}
