import PrunecGraphIR
import PrunecTensors

/// Size (ONNX opset 7 to 28): the number of elements of `data` as an int64 scalar.
///
/// Channels: the number changes with every extent, so all axes are pinned.
struct Size: Operator {
  let signature = Signature("Size", operands: 1...1)

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    guard let shape = call.shape(0) else { return [ValueFacts(.int64, [])] }
    var product = ExtentProduct()
    for dimension in shape { product.multiply(by: dimension.extent) }
    var count = SymbolicInteger.unknown
    if product.isNumber, let number = product.number { count = .fixed(number) }
    if product.number == 1, let symbol = product.onlySymbol { count = .symbol(symbol) }
    return [ValueFacts(.int64, [], contents: .integers([count]))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    for axis in (call.shape(0) ?? []).indices {
      relations.pin(.operand(0, axis: axis), because: "the number of elements is used")
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    [Tensor([try call.tensor(0, of: operands).count], shape: [])]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
