/// Which factor of a split axis is cut when more than one could be.
public enum SplitDirection: String, Sendable, CaseIterable {
  /// The outermost: whole heads of attention, whole groups of a grouped convolution.
  case outer
  /// The innermost: the same dimensions of every head, the same positions in every group.
  case inner
}
