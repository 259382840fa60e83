import PrunecCoupling
import PrunecGraphIR
import PrunecPassKit

/// Says how channels are coupled for the passes that come after.
///
/// Where one axis holds two factors (heads and their dimensions, the groups of a convolution and the channels in
/// each), only one of them can be cut at a time: option `direction` says which. The coupling itself is found
/// when a pass asks for it; the graph stays as it is.
package struct CoupleChannels: Pass {
  package static let name = "couple-channels"
  package static let summary = "choose how the channels of an axis with two factors are coupled"
  package static let effect = Effect.annotating

  package static let direction = PassOption(
    "direction", OptionSyntax<SplitDirection>.choice, default: .inner,
    help: """
      Which factor of a split axis is cut: inner (the same dimensions of every head) or outer (whole \
      heads).
      """)
  package static let options: [any PassOptionDescription] = [Self.direction]

  private let direction: SplitDirection

  package init(options: inout OptionReader) throws(CompileError) {
    direction = try options.value(Self.direction)
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    context.couplingOptions.direction = direction
  }
}
