import PassKit

/// Says how channels are coupled for the passes that come after.
///
/// Where one axis holds two factors (heads and their dimensions, the groups of a convolution and the channels in
/// each), only one of them can be cut at a time: option `direction` says which. The coupling itself is found
/// when a pass asks for it; the graph stays as it is.
public struct CoupleChannels: Pass {
  public static let name = "couple-channels"
  public static let summary = "choose how the channels of an axis with two factors are coupled"
  public static let effect = Effect.annotating

  public static let direction = PassOption(
    "direction", OptionSyntax<SplitDirection>.choice, default: .inner,
    help: """
      Which factor of a split axis is cut: inner (the same dimensions of every head) or outer (whole \
      heads).
      """)
  public static let options: [any PassOptionDescription] = [Self.direction]

  private let direction: SplitDirection

  public init(options: inout OptionReader) throws(CompileError) {
    direction = try options.value(Self.direction)
  }

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    context.couplingOptions.direction = direction
  }
}
