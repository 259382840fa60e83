import PrunecGraphIR
import PrunecTensors

/// MatMul (ONNX opset 7 to 28): the product of matrices, `Y[..., i, j] = sum over k of
/// A[..., i, k] B[..., k, j]`, as numpy's `matmul`: `A [..., M, K]`, `B [..., K, N]`,
/// `Y [..., M, N]`, where the leading batch axes broadcast. An A of one axis is a row, a B of one
/// axis a column, and Y lacks the axis that was added.
///
/// Channels: K is summed over and belongs to both operands; M and N go with the last axes of Y, and
/// a batch axis with that of Y unless it is stretched.
package struct MatMul: Operator {
  package let signature = Signature("MatMul", operands: 2...2)

  package init() {}

  private static let form = MatrixProductForm(a: 0, b: 1)

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, or: .wideIntegers)
    try call.requireSameType(0, 1)
    let type = call.elementType(0) ?? call.elementType(1)
    return [ValueFacts(type, try Self.form.resultShape(call))]
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let (a, b) = Self.form.innerAxes(call) else { return }
    relations.equal(a, b)
    relations.sum(over: a)
    relations.sum(over: b)
    Self.form.relateOuterAxes(call, &relations)
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    return [Self.product(operands[0]!, operands[1]!).reshaped(shape)]
  }

  /// The product of tensors whose shapes fit, with both axes of every matrix.
  static func product(_ a: Tensor, _ b: Tensor) -> Tensor {
    let plan = MatrixProductPlan(a.shape, b.shape)
    let shape = plan.shape
    guard a.elementType.isFloatingPoint else {
      var y = [Int](repeating: 0, count: shape.elementCount)
      a.integers.withUnsafeBufferPointer { left in
        b.integers.withUnsafeBufferPointer { right in
          plan.run(left, right, into: &y, MatrixProduct.accumulate)
        }
      }
      return Tensor(wrapping: y, to: a.elementType, shape: shape)
    }
    var y = [Float](repeating: 0, count: shape.elementCount)
    a.withFloats { left in
      b.withFloats { right in plan.run(left, right, into: &y, MatrixProduct.accumulate) }
    }
    return Tensor(rounding: y, to: a.elementType, shape: shape)
  }

  package func macs(_ call: Invocation) -> Int { Self.form.macs(call) }
}

extension MatMul: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    call.elementType(0)!.isFloatingPoint ? .matrixProduct(MatrixComputation()) : nil
  }
}
