import PrunecGraphIR
import PrunecTensors

/// LinearRegressor (ONNX's classical operators, version 1 to 5): `Y = post_transform(X W' + b)` in float32, with
/// `X [N, C]`, `Y [N, targets]`, the rows of W one after the other in `coefficients`, and b in `intercepts`. Of one
/// target nothing but PROBIT is made anything else, as in onnxruntime.
///
/// Channels: samples go with themselves; features and targets are pinned.
struct LinearRegressor: Operator {
  let signature = Signature(
    "LinearRegressor", domain: Signature.classicalDomain, opsets: 1...5, operands: 1...1,
    attributes: ["coefficients": nil, "intercepts": nil, "targets": .int(1)].merging(
      ScoreTransform.attribute
    ) { $1 })

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let targets = try call.requiredInt("targets")
    let scores = try LinearScores(call)
    let _: ScoreTransform = try call.choice("post_transform")
    guard targets > 0, scores.coefficients.count % targets == 0,
      scores.intercepts.isEmpty || scores.intercepts.count == targets
    else {
      throw call.malformed("the coefficients and intercepts are not those of \(targets) targets")
    }
    let samples = try call.samples(features: scores.coefficients.count / targets)
    return [ValueFacts(.float32, [samples, .fixed(targets)])]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) { call.relateSamples(&relations) }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let x = operands[0]!
    let scores = try LinearScores(call)
    let transform: ScoreTransform = try call.choice("post_transform")
    let elements = x.doubles.map { Float($0) }
    let features = scores.coefficients.count / shape[1]
    let y = (0..<shape[0]).flatMap { sample in
      let row = scores(elements[(sample * features)..<((sample + 1) * features)], count: shape[1])
      return shape[1] > 1 || transform == .probit ? transform(row) : row
    }
    return [Tensor(y, shape: shape)]
  }

  func macs(_ call: Invocation) -> Int { call.floats("coefficients")?.count ?? 0 }
}

extension Invocation {
  /// The number of samples in `X [N, C]`; throws where it is known to have other than so many features.
  func samples(features: Int?) throws(CompileError) -> Dimension {
    if let type = elementType(0), !type.isFloatingPoint, type != .int64, type != .int32 {
      throw malformed("X is of type \(type.name)")
    }
    guard let shape = shape(0) else { return .unknown }
    guard shape.count == 1 || shape.count == 2 else {
      throw malformed("X has \(shape.count) axes")
    }
    if let features, let extent = shape.last!.fixedExtent, extent != features {
      throw malformed("X has \(extent) features instead of \(features)")
    }
    return shape.count == 1 ? .fixed(1) : shape[0]
  }

  /// Ties the samples of X to those of every result; the rest is pinned.
  func relateSamples(_ relations: inout Relations) {
    guard let rank = shape(0)?.count else { return }
    for index in results.indices where rank == 2 && results[index].shape != nil {
      relations.equal(.operand(0, axis: 0), .result(index, axis: 0))
    }
    relations.pin(
      .operand(0, axis: rank - 1), because: "the model's coefficients are of its features")
  }
}
