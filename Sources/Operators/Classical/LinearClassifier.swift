import PrunecGraphIR
import PrunecTensors

/// LinearClassifier (ONNX's classical operators, version 1 to 5): for each sample of `X [N, C]` the label of its greatest
/// score, `Y [N]`, and `Z = post_transform(X W' + b)`, `[N, E]` in float32, with the rows of W one after the other in
/// `coefficients`, and b in `intercepts`. With two labels and one score, that is the second one's, which wins above
/// zero; the first one gets one minus it, as in onnxruntime.
///
/// Channels: samples go with themselves; features and classes are pinned.
struct LinearClassifier: Operator {
  let signature = Signature(
    "LinearClassifier", domain: Signature.classicalDomain, opsets: 1...5, operands: 1...1,
    results: 1...2,
    attributes: [
      "classlabels_ints": nil, "classlabels_strings": nil, "coefficients": nil, "intercepts": nil,
      "multi_class": .int(0),
    ].merging(ScoreTransform.attribute) { $1 })

  /// The labels as a vector.
  private func labels(_ call: Invocation) throws(CompileError) -> Tensor {
    try call.labels(integers: "classlabels_ints", strings: "classlabels_strings")
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let (labels, scores) = (try labels(call), try LinearScores(call))
    let _: ScoreTransform = try call.choice("post_transform")
    let count = scores.intercepts.count
    guard count > 0, scores.coefficients.count % count == 0,
      labels.count == count || labels.count == 2 && count == 1
    else {
      throw call.malformed(
        "the coefficients and intercepts are not those of \(labels.count) labels")
    }
    let samples = try call.samples(features: scores.coefficients.count / count)
    return call.classified(samples, as: labels)
  }

  func relate(_ call: Invocation, _ relations: inout Relations) { call.relateSamples(&relations) }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let (labels, scores) = (try labels(call), try LinearScores(call))
    let shape = [resolved.results[0].fixedShape![0], labels.count]
    let transform: ScoreTransform = try call.choice("post_transform")
    let count = scores.intercepts.count
    let features = scores.coefficients.count / count
    let elements = operands[0]!.doubles.map { Float($0) }
    var winners: [Int] = []
    var z: [Float] = []
    for sample in 0..<shape[0] {
      let row = scores(elements[(sample * features)..<((sample + 1) * features)], count: count)
      let transformed = transform.isForSingleScores || count > 1 ? transform(row) : row
      if count == shape[1] {
        winners.append(row.indices.max { row[$0] < row[$1] || row[$0] == row[$1] && $0 > $1 }!)
        z += transformed
      } else {
        winners.append(row[0] > 0 ? 1 : 0)
        z += [1 - transformed[0], transformed[0]]
      }
    }
    let results = [labels.keeping(winners, alongAxis: 0), Tensor(z, shape: shape)]
    return Array(results.prefix(resolved.results.count))
  }

  func macs(_ call: Invocation) -> Int { call.floats("coefficients")?.count ?? 0 }
}

extension ScoreTransform {
  /// Whether it makes anything of a single score.
  fileprivate var isForSingleScores: Bool { self == .logistic || self == .probit }
}

extension Invocation {
  /// The results of a classifier: for each sample a label, and a score in float32 for each of `labels`.
  func classified(_ samples: Dimension, as labels: Tensor) -> [ValueFacts] {
    forResults([
      ValueFacts(labels.elementType, [samples]),
      ValueFacts(.float32, [samples, .fixed(labels.count)]),
    ])
  }

  /// The labels of classes, which one of two attributes lists, as a vector.
  func labels(integers: String, strings: String) throws(CompileError) -> Tensor {
    if let labels = ints(integers), !labels.isEmpty { return Tensor(labels) }
    guard case .strings(let labels)? = attributes.first(where: { $0.name == strings })?.value,
      !labels.isEmpty
    else { throw malformed("there are no labels") }
    return Tensor(strings: labels, shape: [labels.count])
  }
}
