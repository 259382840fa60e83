import PrunecGraphIR
import PrunecTensors

/// What stays of a node's axes when a graph is shrunk.
package struct Cut: Sendable {
  /// The indices that stay, in increasing order, of every axis of which some go.
  package let kept: [AxisReference: [Int]]

  package init(_ kept: [AxisReference: [Int]]) { self.kept = kept }

  /// The indices that stay of an axis, or `nil` if all do.
  package subscript(axis: AxisReference) -> [Int]? { kept[axis] }

  /// The axes of operand `index` that are cut, in order.
  package func axes(ofOperand index: Int) -> [Int] { axes(of: .operand(index)) }

  /// The axes of result `index` that are cut, in order.
  package func axes(ofResult index: Int) -> [Int] { axes(of: .result(index)) }

  private func axes(of slot: AxisReference.Slot) -> [Int] {
    kept.keys.filter { $0.slot == slot }.map(\.axis).sorted()
  }
}

/// A change to a node that keeps it right after its axes have been cut. The slicing of weights
/// along cut axes is not among them: that is done for every constant alike.
package enum Adaptation: Sendable {
  case attribute(Attribute)
  /// Operand `index` becomes this constant.
  case operand(Int, Tensor)
  /// Some elements, by index, of operand `index`, a vector of integers that is computed, become these
  /// numbers.
  case elements(Int, [Int: Int])
  /// The attribute of that name goes.
  case removeAttribute(String)
}
