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

  /// Longer axes are not numbered: no axis of channels comes near.
  static let extentLimit = 1 << 18

  /// Nor is any axis once so many elements are numbered: a few numbers of a small file could otherwise
  /// ask for any amount of memory. A model earns more by its weights.
  static func elementLimit(of graph: Graph) -> Int {
    let weights = graph.initializers.reduce(0) { $0 + (graph[$1].constant?.byteCount ?? 0) }
    return (1 << 22) + weights / 256
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
    let elementLimit = Self.elementLimit(of: graph)
    for id in graph.valueIDs {
      guard let shape = facts[id].shape else { continue }
      firstSlot[Int(id.rawValue)] = slots.count
      ranks[Int(id.rawValue)] = shape.count
      for (index, dimension) in shape.enumerated() {
        let known = dimension.fixedExtent ?? 0
        let isNumbered =
          (0...Self.extentLimit).contains(known) && elementCount + known <= elementLimit
        let extent = isNumbered ? known : 0
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
