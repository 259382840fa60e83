@_exported import Semantics

/// An axis of a value.
public struct Axis: Hashable, Sendable, Comparable {
  public let value: ValueID
  public let index: Int

  public init(_ value: ValueID, _ index: Int) {
    self.value = value
    self.index = index
  }

  public static func < (lhs: Axis, rhs: Axis) -> Bool {
    (lhs.value, lhs.index) < (rhs.value, rhs.index)
  }
}

/// Numbers the elements of a graph's axes: one for each index of each axis of each value, for axes
/// whose extent is a number.
struct AxisTable {
  struct Slot {
    let axis: Axis
    /// Number of the element of index 0.
    let base: Int
    let extent: Int

    var elements: Range<Int> { base..<(base + extent) }
  }

  /// In order of their elements' numbers.
  private(set) var slots: [Slot] = []
  private(set) var elementCount = 0
  /// For each value, the index in `slots` of its axis 0, and -1 where axes are not numbered.
  private var firstSlot: [Int]
  private var ranks: [Int]

  init(_ graph: Graph, _ facts: GraphFacts) {
    firstSlot = [Int](repeating: -1, count: graph.valueIDBound)
    ranks = [Int](repeating: 0, count: graph.valueIDBound)
    for id in graph.valueIDs {
      guard let shape = facts[id].shape else { continue }
      firstSlot[Int(id.rawValue)] = slots.count
      ranks[Int(id.rawValue)] = shape.count
      for (index, dimension) in shape.enumerated() {
        let extent = dimension.fixedExtent ?? 0
        slots.append(Slot(axis: Axis(id, index), base: elementCount, extent: extent))
        elementCount += extent
      }
    }
  }

  /// The slot of an axis; `nil` where its extent is no number.
  func slot(_ axis: Axis) -> Slot? {
    let first = firstSlot[Int(axis.value.rawValue)]
    guard first >= 0, axis.index < ranks[Int(axis.value.rawValue)] else { return nil }
    let slot = slots[first + axis.index]
    return slot.extent > 0 ? slot : nil
  }

  /// The slots of all numbered axes of a value.
  func slots(of value: ValueID) -> [Slot] {
    let first = firstSlot[Int(value.rawValue)]
    guard first >= 0 else { return [] }
    return slots[first..<(first + ranks[Int(value.rawValue)])].filter { $0.extent > 0 }
  }

  /// The index in `slots` of an axis.
  func slotIndex(_ axis: Axis) -> Int? {
    slot(axis) == nil ? nil : firstSlot[Int(axis.value.rawValue)] + axis.index
  }
}
