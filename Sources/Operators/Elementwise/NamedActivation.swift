import Glibc
import PrunecGraphIR

/// The functions that recurrent layers and fused operators may apply, by name: the operators so called,
/// with their defaults, and two that ONNX has no operator for.
struct NamedActivation {
  private let parameters: [Float?]
  private let formula: @Sendable (Float, Float, Float) -> Float

  /// The functions `names` lists, which take their parameters off the two lists in turn, as many as
  /// each has. Throws an unsupported error for a function that is not known, or lacks a parameter.
  static func all(
    _ names: [String], alphas: [Float], betas: [Float], _ call: Invocation
  ) throws(CompileError) -> [@Sendable (Float) -> Float] {
    var (alphas, betas) = (alphas[...], betas[...])
    return try names.map { (name) throws(CompileError) in
      guard let found = NamedActivation(named: name.lowercased()) else {
        throw call.unsupported("activation '\(name)' is not evaluated")
      }
      guard let formula = found.formula(&alphas, &betas) else {
        throw call.unsupported("activation '\(name)' has no default for its parameters")
      }
      return formula
    }
  }

  /// `name` in small letters: exporters disagree on the case.
  private init?(named name: String) {
    if let unary = UnaryElementwise.all.first(where: { $0.isCalled(name) }) {
      let function = unary.formula
      parameters = []
      formula = { x, _, _ in function(x) }
    } else if let found = ParametricActivation.all.first(where: { $0.isCalled(name) }) {
      parameters = found.parameters.map {
        guard case .float(let value)?? = found.signature.attributes[$0] else { return nil }
        return value
      }
      formula = found.formula
    } else if name == "affine" {
      parameters = [nil, nil]
      formula = { x, alpha, beta in alpha * x + beta }
    } else if name == "scaledtanh" {
      parameters = [nil, nil]
      formula = { x, alpha, beta in alpha * tanhf(beta * x) }
    } else {
      return nil
    }
  }

  private func formula(
    _ alphas: inout ArraySlice<Float>, _ betas: inout ArraySlice<Float>
  ) -> (@Sendable (Float) -> Float)? {
    let formula = formula
    var (alpha, beta) = (Float(0), Float(0))
    if let fallback = parameters.first {
      guard let given = alphas.popFirst() ?? fallback else { return nil }
      alpha = given
    }
    if parameters.count > 1 {
      guard let given = betas.popFirst() ?? parameters[1] else { return nil }
      beta = given
    }
    return { [alpha, beta] x in formula(x, alpha, beta) }
  }
}

extension Operator {
  fileprivate func isCalled(_ name: String) -> Bool {
    signature.operation.type.lowercased() == name
  }
}
