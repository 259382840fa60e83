import PrunecGraphIR
import PrunecTensors

/// Where (ONNX opset 9 to 28): `Z = condition ? X : Y` element by element, with multidirectional
/// broadcasting, for every element type.
///
/// Channels: axes that broadcast to the same axis go together, except those of extent one.
struct Where: Operator {
  let signature = Signature("Where", opsets: 9...28, operands: 3...3)

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    if let type = call.elementType(0), type != .bool {
      throw call.malformed("the condition is of type \(type.name)")
    }
    let type = try call.commonElementType(1..<3)
    let shape = try Broadcasting.shape(of: (0..<3).map { call.shape($0) }, call)
    let contents = SymbolicArithmetic.combine(
      (0..<3).map { call.operand($0) }, type: type, shape: shape
    ) {
      triple in
      guard case .fixed(let condition) = triple[0] else {
        return triple[1] == triple[2] ? triple[1] : .unknown
      }
      return condition != 0 ? triple[1] : triple[2]
    }
    return [ValueFacts(type, shape, contents: contents)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Broadcasting.relate(call, operands: 0..<3, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let condition = try call.tensor(0, of: operands).stretched(to: shape).integers
    let x = try call.tensor(1, of: operands).stretched(to: shape).reshaped([condition.count])
    let y = try call.tensor(2, of: operands).stretched(to: shape).reshaped([condition.count])
    // Element i of X and element i of Y, one after the other in a single vector.
    let both = Tensor.concatenated([x, y], alongAxis: 0)
    let choice = condition.indices.map { condition[$0] != 0 ? $0 : condition.count + $0 }
    return [both.keeping(choice, alongAxis: 0).reshaped(shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Where: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    ElementwiseFormula(.select, operandCount: 3).of(call.elementType(1)!).map { .elementwise($0) }
  }
}
