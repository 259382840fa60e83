import PrunecGraphIR
import PrunecTensors

/// All that prunec knows of one operator.
///
/// There are no default implementations: an operator that has not answered every question does not
/// compile. Operators see plain values, never the graph.
package protocol Operator: Sendable {
  /// What the operator is called, and what it takes and gives.
  var signature: Signature { get }

  /// The facts of the results, from those of the operands; as many as the node may have results.
  /// What cannot be told is left unknown. Whatever follows from constant operands alone need not be
  /// propagated here: such nodes are evaluated.
  ///
  /// Throws a malformed-model error where the operands or attributes break the operator's rules.
  /// Numbers come from untrusted files: use the reporting forms of arithmetic.
  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts]

  /// How the axes of operands and results belong together. Axes not mentioned are pinned. Operand
  /// and result facts are known; axes whose extent is not a number are pinned whatever is said.
  func relate(_ call: Invocation, _ relations: inout Relations)

  /// What must change at the node when `cut` is made, given facts from before the cut. Only cuts
  /// that the relations allow are ever asked for.
  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation]

  /// Computes the results: plain, and evidently right. The types of operands have been inferred
  /// without an error.
  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor]

  /// Multiply-accumulate operations of one execution, counted as the field does: those of
  /// convolutions and matrix products, and nothing for the rest. Extents that are not numbers (the
  /// batch, mostly) count as one.
  func macs(_ call: Invocation) -> Int
}

extension Dimension {
  /// The extent for cost estimates: one where it is not a number.
  var nominalExtent: Int { fixedExtent ?? 1 }
}
