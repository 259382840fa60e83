/// An axis of a value, counted from the front.
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
