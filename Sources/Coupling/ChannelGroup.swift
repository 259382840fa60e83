import PrunecGraphIR

/// A set of channels that each live and die as a whole, and that are alike: the same axes of the same
/// values hold them.
public struct ChannelGroup: Sendable {
  /// An axis on which the group's channels lie.
  public struct Member: Sendable {
    public let axis: Axis
    /// How many indices of the axis each channel has.
    public let multiplicity: Int
    /// The indices, those of channel 0 first.
    public let indices: [Int32]

    /// The indices of one channel.
    public func indices(ofChannel channel: Int) -> ArraySlice<Int32> {
      indices[(channel * multiplicity)..<((channel + 1) * multiplicity)]
    }
  }

  /// Number of channels.
  public let count: Int
  /// Every axis that holds them, in order of the values.
  public let members: [Member]
  /// Why none may be removed; `nil` if they may.
  public let pin: PinReason?
  /// Why budgets leave the group whole, though it may be cut: what its indices stand for.
  public internal(set) var meaning: PinReason?
  /// What the group is in its network.
  public internal(set) var kind = GroupKind.other
  /// The group's name for users: that of the first layer that makes the channels.
  public let name: String

  init(count: Int, members: [Member], pin: PinReason?, name: String) {
    self.count = count
    self.members = members
    self.pin = pin
    self.name = name
  }
}
