import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// Numbers the elements of a graph's axes, one for each index, for axes whose extent is a number.
///
/// Axes that some node declares equal share their elements. Most axes of a network are equal to others
/// (a residual stream passes through every layer), so that there are far fewer elements than indices.
struct AxisTable {
  struct Slot {
    let axis: Axis
    fileprivate(set) var extent: Int
    /// The index in `strands` of the elements; meaningless where the extent is 0.
    fileprivate(set) var strand: Int
    /// Number of the element of index 0.
    fileprivate(set) var base: Int

    var elements: Range<Int> { base..<(base + extent) }
  }

  /// Elements with all axes that they lie on.
  struct Strand {
    let elements: Range<Int>
    /// Indices in `slots`, increasing.
    fileprivate(set) var slots: [Int]
  }

  /// Longer axes are not numbered: no axis of channels comes near.
  static let extentLimit = 1 << 18

  /// Nor is any axis once so many elements are: a few numbers of a small file could otherwise ask for any
  /// amount of memory. A model earns more by its weights. What is equal to a numbered axis costs nothing,
  /// so that masks never run out of numbers.
  let indexLimit: Int

  /// In order of the values.
  private(set) var slots: [Slot] = []
  /// In order of their elements' numbers, which is that of their first slots.
  private(set) var strands: [Strand] = []
  /// For each value, the index in `slots` of its axis 0, and -1 where axes are not numbered.
  private var firstSlot: [Int]
  private var ranks: [Int]

  var elementCount: Int { strands.last?.elements.upperBound ?? 0 }

  /// `relations` are those of each node, by its ID.
  init(_ graph: Graph, _ facts: GraphFacts, _ relations: [[Relation]]) {
    firstSlot = [Int](repeating: -1, count: graph.valueIDBound)
    ranks = [Int](repeating: 0, count: graph.valueIDBound)
    let weights = graph.initializers.reduce(0) { $0 + (graph[$1].constant?.byteCount ?? 0) }
    indexLimit = (1 << 22) + weights / 256
    for id in graph.valueIDs {
      guard let shape = facts[id].shape else { continue }
      firstSlot[Int(id.rawValue)] = slots.count
      ranks[Int(id.rawValue)] = shape.count
      for (index, dimension) in shape.enumerated() {
        let known = dimension.fixedExtent ?? 0
        let extent = (0...Self.extentLimit).contains(known) ? known : 0
        slots.append(Slot(axis: Axis(id, index), extent: extent, strand: -1, base: 0))
      }
    }
    var sets = UnionFind(count: slots.count)
    for id in graph.nodes {
      for case .equal(let a, let b) in relations[Int(id.rawValue)] {
        guard let a = slotIndex(of: a, at: graph[id]), let b = slotIndex(of: b, at: graph[id])
        else { continue }
        precondition(slots[a].extent == slots[b].extent, "\(graph[id].operation): unequal axes")
        sets.union(a, b)
      }
    }
    number(&sets)
  }

  private mutating func number(_ sets: inout UnionFind) {
    // -1 for a strand that is new, and -2 for one that would exceed the limit.
    var strandOfRoot = [Int](repeating: -1, count: slots.count)
    for index in slots.indices where slots[index].extent > 0 {
      let root = sets.find(index)
      if strandOfRoot[root] == -1, elementCount + slots[index].extent > indexLimit {
        strandOfRoot[root] = -2
      }
      if strandOfRoot[root] == -2 {
        slots[index].extent = 0
        continue
      }
      if strandOfRoot[root] < 0 {
        strandOfRoot[root] = strands.count
        let elements = elementCount..<(elementCount + slots[index].extent)
        strands.append(Strand(elements: elements, slots: []))
      }
      let strand = strandOfRoot[root]
      strands[strand].slots.append(index)
      slots[index].strand = strand
      slots[index].base = strands[strand].elements.lowerBound
    }
  }

  /// The index in `slots` of an axis; `nil` where its extent is no number.
  private func slotIndex(_ value: ValueID, _ index: Int) -> Int? {
    let first = firstSlot[Int(value.rawValue)]
    guard first >= 0, index < ranks[Int(value.rawValue)], slots[first + index].extent > 0
    else { return nil }
    return first + index
  }

  private func slotIndex(of reference: AxisReference, at node: Node) -> Int? {
    reference.value(at: node).flatMap { slotIndex($0, reference.axis) }
  }

  /// The slot of an axis; `nil` where its extent is no number.
  func slot(_ axis: Axis) -> Slot? {
    slotIndex(axis.value, axis.index).map { slots[$0] }
  }

  /// The slots of all numbered axes of a value.
  func slots(of value: ValueID) -> [Slot] {
    let first = firstSlot[Int(value.rawValue)]
    guard first >= 0 else { return [] }
    return slots[first..<(first + ranks[Int(value.rawValue)])].filter { $0.extent > 0 }
  }
}

extension AxisReference {
  /// The value of `node` whose axis is referred to; `nil` for one that is left out, and for axes that no
  /// tensor has.
  func value(at node: Node) -> ValueID? {
    switch slot {
    case .operand(let index): index < node.inputs.count ? node.inputs[index] : nil
    case .result(let index): index < node.outputs.count ? node.outputs[index] : nil
    case .virtual: nil
    }
  }
}
