import PrunecGraphIR
import PrunecTensors

/// FusedConv (onnxruntime's own): Conv, plus Z, of the shape of Y, where it is given, and an `activation` with
/// `activation_params`.
///
/// Channels: as for Conv; output channels go with Z's.
struct FusedConv: Operator {
  let signature = Signature(
    "FusedConv", domain: Signature.runtimeDomain, opsets: 1...1, operands: 2...4,
    attributes: Conv().signature.attributes.merging(
      ["activation": nil, "activation_params": nil]) { $1 })

  private static let form = ConvolutionForm(x: 0, w: 1, bias: 2)

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, 2, 3)
    let shape = try Self.form.resultShape(call)
    if let shape, let z = call.shape(3) {
      guard z.count == shape.count,
        zip(z, shape).allSatisfy({ a, b in
          a.fixedExtent == nil || b.fixedExtent == nil || a.fixedExtent == b.fixedExtent
        })
      else { throw call.malformed("Z does not have the shape of Y") }
    }
    return [ValueFacts(call.elementType(0), shape)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard Self.form.relate(call, &relations) else { return }
    relations.sum(over: .operand(0, axis: 1))
    if call.operand(3) != nil { relations.equal(.operand(3, axis: 1), .result(axis: 1)) }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    Self.form.adapt(call, to: cut)
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let formula = try activation(call)
    let y = try Conv().evaluate(call, Array(operands.prefix(3)))[0]
    guard operands.count > 3, let z = operands[3] else { return [y.mapFloats(formula)] }
    let sums = zip(y.floats, z.floats).map { formula($0 + $1) }
    return [Tensor(rounding: sums, to: y.elementType, shape: y.shape)]
  }

  private func activation(
    _ call: Invocation
  ) throws(CompileError) -> @Sendable (Float) -> Float {
    guard let name = call.string("activation"), !name.isEmpty else { return { $0 } }
    let parameters = call.floats("activation_params") ?? []
    if name == "Clip" {
      guard parameters.count == 2 else { throw call.malformed("Clip takes two parameters") }
      return { max(parameters[0], min(parameters[1], $0)) }
    }
    return try NamedActivation.all(
      [name], alphas: Array(parameters.prefix(1)), betas: Array(parameters.dropFirst().prefix(1)),
      call)[0]
  }

  func macs(_ call: Invocation) -> Int { Self.form.macs(call) }
}

extension FusedConv: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.operand(3) == nil else { return nil }
    var convolution = try Self.form.computation(call)
    let parameters = call.floats("activation_params") ?? []
    func parameter(_ index: Int, _ fallback: Float) -> Float {
      index < parameters.count ? parameters[index] : fallback
    }
    switch call.string("activation")?.lowercased() {
    case nil, "": break
    case "relu": convolution.activation = Activation(.relu)
    case "sigmoid": convolution.activation = Activation(.sigmoid)
    case "tanh": convolution.activation = Activation(.tanh)
    case "leakyrelu":
      convolution.activation = Activation(.leakyRelu, alpha: parameter(0, 0.01))
    case "clip" where parameters.count == 2:
      convolution.activation = Activation(.clip, alpha: parameters[0], beta: parameters[1])
    case "hardsigmoid":
      convolution.activation = Activation(
        .hardSigmoid, alpha: parameter(0, 0.2), beta: parameter(1, 0.5))
    default: return nil
    }
    return .convolution(convolution)
  }
}
