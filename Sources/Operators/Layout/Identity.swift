import PrunecGraphIR
import PrunecTensors

/// Identity (ONNX opset 7 to 28): the operand, of any type.
///
/// Channels: every axis goes with itself.
struct Identity: Operator {
  let signature = Signature("Identity", operands: 1...1)

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    [call.operand(0) ?? .unknown]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    for axis in (call.shape(0) ?? []).indices {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    [try call.tensor(0, of: operands)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Identity: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    .reshape(call)
  }
}
