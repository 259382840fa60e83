import PrunecGraphIR
import PrunecOperators
import PrunecSemantics

/// Applies the relations of all nodes to the union-find.
struct CouplingBuilder {
  let graph: Graph
  let facts: GraphFacts
  let options: CouplingAnalysis.Options
  /// The relations of each node, by its ID.
  private let relations: [[Relation]]
  let table: AxisTable
  let layers: [LinearLayer]
  var sets: UnionFind
  /// Reasons for pins, by number; number 0 is no reason.
  private(set) var reasons: [PinReason?] = [nil]
  private var splits: [Split] = []
  private static let trivial = PinReason("a single index")

  /// A factor of an axis: its elements, and its stride in the whole.
  private typealias Factor = (elements: Range<Int>, stride: Int)

  /// A split whose direction is not decided yet. Elements are numbers of the union-find.
  private struct Split {
    let whole: Range<Int>
    /// Factors with more than one index.
    let factors: [Factor]
    let location: Location
  }

  init(_ graph: Graph, _ facts: GraphFacts, _ options: CouplingAnalysis.Options) {
    self.graph = graph
    self.facts = facts
    self.options = options
    var relations = [[Relation]](repeating: [], count: graph.nodeIDBound)
    for id in graph.nodes { relations[Int(id.rawValue)] = facts.relations(of: id) }
    self.relations = relations
    table = AxisTable(graph, facts, relations)
    layers = LinearLayer.all(in: graph, facts)
    sets = UnionFind(count: table.elementCount)
  }

  mutating func run() {
    for layer in layers {
      guard let slot = table.slot(Axis(layer.result, layer.resultAxis)) else { continue }
      for element in slot.elements { sets.mark(element) }
    }
    pinSignature()
    for id in graph.nodes { relate(id) }
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
    for strand in table.strands where strand.elements.count == 1 {
      pin(strand.elements, Self.trivial)
    }
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
      return
    }
    var mentioned: Set<AxisReference> = []
    var virtuals: [Int: Range<Int>] = [:]
    for relation in relations[Int(id.rawValue)] {
      apply(relation, node, location, &mentioned, &virtuals)
    }
    pinGatheredConstants(id, node, location)
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

  /// Where all that a node sums over is constant, or it gathers a constant otherwise, no mask can
  /// stand before it.
  private mutating func pinGatheredConstants(_ id: NodeID, _ node: Node, _ location: Location) {
    var summed: [Axis] = []
    var gathered: [Axis] = []
    for relation in relations[Int(id.rawValue)] {
      switch relation {
      case .sum(let reference):
        if let value = reference.value(at: node) { summed.append(Axis(value, reference.axis)) }
      case .gathering(let reference, _, _):
        if let value = reference.value(at: node) { gathered.append(Axis(value, reference.axis)) }
      default: continue
      }
    }
    gathered.removeAll { !facts.isFixed($0.value) }
    if summed.allSatisfy({ facts.isFixed($0.value) }) { gathered += summed }
    for axis in gathered {
      guard let slot = table.slot(axis) else { continue }
      pin(slot.elements, PinReason("only constants are gathered over it", at: location))
    }
  }

  /// The elements of an axis of a node; `nil` where its extent is no number.
  private mutating func elements(
    _ reference: AxisReference, _ node: Node, _ virtuals: inout [Int: Range<Int>]
  ) -> Range<Int>? {
    guard case .virtual(let index) = reference.slot else {
      return reference.value(at: node).flatMap { table.slot(Axis($0, reference.axis)) }?.elements
    }
    if let known = virtuals[index] { return known }
    guard reference.axis <= AxisTable.extentLimit,
      sets.count + reference.axis <= 2 * table.indexLimit
    else { return nil }
    let first = sets.append(reference.axis)
    virtuals[index] = first..<(first + reference.axis)
    if reference.axis == 1 { pin(first..<(first + 1), Self.trivial) }
    return virtuals[index]
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
      // Axes of tensors share their elements already.
      if axes[0] != axes[1] { for (x, y) in zip(axes[0], axes[1]) { sets.union(x, y) } }
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
      var wide: [Factor] = []
      for factor in axes[1...] {
        stride /= factor.count
        if factor.count > 1 { wide.append((factor, stride)) }
      }
      precondition(stride == 1, "\(node.operation): factors do not multiply to the whole")
      splits.append(Split(whole: axes[0], factors: wide, location: location))
    case .pinned(let axis, let reason):
      guard let axes = resolve([axis]) else { return }
      pin(axes[0], PinReason(reason, at: location))
    case .free(let axis), .sum(let axis), .gathering(let axis, _, _), .coefficient(let axis, _):
      mentioned.insert(axis)
    case .extents(let operand, let first):
      let rank = node.inputs[operand].flatMap { facts[$0].rank } ?? 0
      for axis in 0..<rank { mentioned.insert(.operand(operand, axis: axis)) }
      pinExtentsRead(by: node, operand: operand, first: first, location)
    }
  }

  // MARK: Extents read at run time

  /// Reading extents leaves an axis alone as long as only extents of axes that cannot be cut anyway
  /// are used; other axes are pinned, for what is computed from an extent would change with it.
  private mutating func pinExtentsRead(
    by node: Node, operand: Int, first: Int, _ location: Location
  ) {
    guard let value = node.inputs[operand], let result = node.outputs[0] else { return }
    let reason = PinReason("its extent is used in a computation", at: location)
    for index in ExtentReads.indices(of: result, graph, facts) {
      if let slot = table.slot(Axis(value, first + index)) { pin(slot.elements, reason) }
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

  /// Applies a split of which at most one factor can be cut, or whose whole is cut along one of them
  /// already, and says whether it did.
  private mutating func resolve(_ split: Split) -> Bool {
    let candidates = split.factors.filter { isCuttable($0.elements) }
    guard isCuttable(split.whole) else {
      for candidate in candidates {
        pin(candidate.elements, PinReason("is part of an axis that is pinned", at: split.location))
      }
      return true
    }
    if candidates.isEmpty {
      pin(split.whole, PinReason("all its factors are pinned", at: split.location))
      return true
    }
    var chosen = candidates
    if candidates.count > 1 { chosen.removeAll { !isJoined(split.whole, along: $0) } }
    guard chosen.count == 1, let factor = chosen.first else { return false }
    for other in candidates where other.stride != factor.stride {
      pin(other.elements, PinReason("the axis is cut along another factor", at: split.location))
    }
    for (offset, element) in split.whole.enumerated() {
      let index = offset / factor.stride % factor.elements.count
      sets.union(element, factor.elements.lowerBound + index)
    }
    return true
  }

  /// Whether elements of the whole that have the same index of a factor go together anyway.
  private mutating func isJoined(_ whole: Range<Int>, along factor: Factor) -> Bool {
    for (offset, element) in whole.enumerated() {
      let index = offset / factor.stride % factor.elements.count
      if sets.find(element) != sets.find(whole.lowerBound + index * factor.stride) { return false }
    }
    return true
  }

  private mutating func decide(_ split: Split) {
    let candidates = split.factors.filter { isCuttable($0.elements) }
    // Who asks for the outer factor gets it: queries of many heads that share one of keys and values.
    let made =
      options.direction == .outer
      ? [] : candidates.indices.filter { sets.isMarked(candidates[$0].elements.lowerBound) }
    let open = made.isEmpty ? Array(candidates.indices) : made
    let chosen = options.direction == .outer ? open.first! : open.last!
    let reason =
      made.count == 1
      ? "the axis is cut along the factor that layers make"
      : "the axis is cut along its \(options.direction.rawValue) factor"
    for (index, candidate) in candidates.enumerated() where index != chosen {
      pin(candidate.elements, PinReason(reason, at: split.location))
    }
  }
}
