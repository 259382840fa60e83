import PrunecGraphIR
import PrunecTensors

/// Dropout (ONNX opset 7 to 28) in inference mode: the operand itself, and a mask of the same shape
/// that says that everything stays. Since opset 12 a third operand switches training on; unless it
/// is absent or a constant false, the node is not understood and pins what it touches.
///
/// Channels: every axis goes with itself, in the mask too.
struct Dropout: Operator {
  let signature = Signature(
    "Dropout", operands: 1...3, results: 1...2, attributes: ["ratio": .float(0.5), "seed": nil])

  private func isInference(_ call: Invocation) -> Bool {
    guard let mode = call.operand(2) else { return true }
    return mode.constantIntegers == [0]
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let data = call.operand(0) ?? .unknown
    let output = isInference(call) ? data : ValueFacts(data.type)
    return [output, ValueFacts(call.opset < 10 ? data.elementType : .bool, data.shape)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard isInference(call), let shape = call.shape(0) else { return }
    for axis in shape.indices {
      for result in call.results.indices {
        relations.equal(.operand(0, axis: axis), .result(result, axis: axis))
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let data = try call.tensor(0, of: operands)
    if operands.count > 2, let mode = operands[2], mode.integers != [0] {
      throw call.unsupported("Dropout in training mode is not evaluated")
    }
    guard call.results.count > 1 else { return [data] }
    let one = Tensor(.bool, shape: [], elements: [UInt8(1)])
    let mask = Tensor(repeating: one, shape: data.shape)
    guard let typed = call.opset < 10 ? mask.converted(to: data.elementType) : mask else {
      throw call.unsupported("Dropout of \(data.elementType.name) is not evaluated")
    }
    return [data, typed]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Dropout: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    isInference(call) ? .views([[]]) : nil
  }
}
