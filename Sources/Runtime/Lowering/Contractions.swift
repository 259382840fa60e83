import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// Products of matrices whose axes are several axes of the operands.
extension Planner {
  mutating func lowerContraction(
    _ id: NodeID, _ contraction: ContractionComputation
  ) throws(CompileError) -> Bool {
    guard let operands = try operandViews(id), let left = operands[0], let right = operands[1],
      let output = graph[id].outputs[0]
    else { return false }
    let (stacks, rows, inner) = contraction.left
    func extents(_ view: View, _ axes: [Int]) -> [Int] { axes.map { view.shape[$0] } }
    let (stackShape, rowShape, columnShape) = (
      extents(left, stacks), extents(left, rows), extents(right, contraction.right.outer)
    )
    let (m, n, k) = (
      rowShape.elementCount, columnShape.elementCount, extents(left, inner).elementCount
    )
    let batch = stackShape.isEmpty ? [] : [stackShape.elementCount]
    var a = merged(left, order: stacks + rows + inner, as: batch + [m, k], for: id)
    if a.strides.last! != 1, k != 1 { a = dense(a, order: Array(a.shape.indices), for: id) }
    let b = merged(
      right, order: contraction.right.stacks + contraction.right.inner + contraction.right.outer,
      as: batch + [k, n], for: id)
    let isInOrder = contraction.order == Array(contraction.order.indices)
    let y =
      isInOrder ? result(output) : newView(.float32, stackShape + rowShape + columnShape)
    if !isInOrder { places[output] = .view(y.applying(.permute(contraction.order))!) }
    guard let product = y.applying(.reshape(batch + [m, n])) else { return false }
    let isConstant = facts.isFixed(graph[id].inputs[1]!) && b.buffer == right.buffer
    try addMatrixProduct(
      id, .plain, a, b, batch, Epilogue(output: output), nil, product,
      isConstant: isConstant)
    return true
  }

  /// The view with its axes in another order and then under another shape, copied where that cannot be seen.
  private mutating func merged(
    _ view: View, order: [Int], as shape: [Int], for id: NodeID
  ) -> View {
    let ordered = view.applying(.permute(order))!
    return ordered.applying(.reshape(shape))
      ?? dense(ordered, order: Array(order.indices), for: id).applying(.reshape(shape))!
  }
}
