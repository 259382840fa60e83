/// Identifies a node of one graph. Never reused within that graph.
public struct NodeID: Hashable, Comparable, Sendable {
  public let rawValue: Int32

  init(_ index: Int) { rawValue = Int32(index) }
  var index: Int { Int(rawValue) }
  public static func < (lhs: NodeID, rhs: NodeID) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// Identifies a value of one graph. Never reused within that graph.
public struct ValueID: Hashable, Comparable, Sendable {
  public let rawValue: Int32

  init(_ index: Int) { rawValue = Int32(index) }
  var index: Int { Int(rawValue) }
  public static func < (lhs: ValueID, rhs: ValueID) -> Bool { lhs.rawValue < rhs.rawValue }
}
