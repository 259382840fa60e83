import PrunecGraphIR
import PrunecTensors

/// Trees whose leaves vote, `X [N, C]`: TreeEnsembleClassifier gives the label of the class with the most votes,
/// `Y [N]`, and the votes for all, `[N, E]` in float32; TreeEnsembleRegressor gives sums, means or extrema of votes,
/// `[N, n_targets]` in float32.
///
/// ONNX's classical operators, version 1 to 5. Where they say nothing of it, votes become scores as in onnxruntime.
///
/// Channels: samples go with themselves; features and classes are pinned.
struct TreeEnsemble: Operator {
  let signature: Signature
  private let isClassifier: Bool

  private init(_ type: String, isClassifier: Bool, attributes: [String]) {
    let nodes = [
      "falsenodeids", "featureids", "hitrates", "hitrates_as_tensor", "missing_value_tracks_true",
      "modes", "nodeids", "treeids", "truenodeids", "values", "values_as_tensor",
    ].map { "nodes_" + $0 }
    let names = nodes + ["base_values", "base_values_as_tensor"] + attributes
    signature = Signature(
      type, domain: Signature.classicalDomain, opsets: 1...5, operands: 1...1,
      results: isClassifier ? 1...2 : 1...1,
      attributes: [String: Attribute.Value?](uniqueKeysWithValues: names.map { ($0, nil) })
        .merging(ScoreTransform.attribute) { $1 })
    self.isClassifier = isClassifier
  }

  static let all = [
    TreeEnsemble(
      "TreeEnsembleClassifier", isClassifier: true,
      attributes: [
        "class_ids", "class_nodeids", "class_treeids", "class_weights", "class_weights_as_tensor",
        "classlabels_int64s", "classlabels_strings",
      ]),
    TreeEnsemble(
      "TreeEnsembleRegressor", isClassifier: false,
      attributes: [
        "aggregate_function", "n_targets", "target_ids", "target_nodeids", "target_treeids",
        "target_weights", "target_weights_as_tensor",
      ]),
  ]

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let samples = try call.samples(features: nil)
    guard isClassifier else {
      let targets = try call.requiredInt("n_targets")
      guard targets > 0 else { throw call.malformed("n_targets is \(targets)") }
      return [ValueFacts(.float32, [samples, .fixed(targets)])]
    }
    let labels = try call.labels(integers: "classlabels_int64s", strings: "classlabels_strings")
    return call.classified(samples, as: labels)
  }

  func relate(_ call: Invocation, _ relations: inout Relations) { call.relateSamples(&relations) }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    return Array(
      try (isClassifier ? classify(resolved, operands[0]!) : regress(resolved, operands[0]!))
        .prefix(resolved.results.count))
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension TreeEnsemble {
  /// The samples, which a vector is one of.
  private func rows(_ x: Tensor) -> [ArraySlice<Double>] {
    let (elements, features) = (x.doubles, x.shape.last!)
    return (0..<(x.rank == 1 ? 1 : x.shape[0])).map {
      elements[($0 * features)..<(($0 + 1) * features)]
    }
  }

  private func regress(_ call: Invocation, _ x: Tensor) throws(CompileError) -> [Tensor] {
    let shape = call.results[0].fixedShape!
    let trees = try TreeVotes(call, votes: "target", count: shape[1])
    let bases = try bases(call)
    let aggregate =
      call.has("aggregate_function") ? call.string("aggregate_function") ?? "" : "SUM"
    guard ["SUM", "AVERAGE", "MIN", "MAX"].contains(aggregate),
      bases.isEmpty || bases.count == shape[1]
    else { throw call.malformed("'aggregate_function' or 'base_values' is none that is known") }
    let transform: ScoreTransform = try call.choice("post_transform")
    var y: [Float] = []
    for row in rows(x) {
      var scores = [Double?](repeating: nil, count: shape[1])
      for (id, weight) in try trees(row, call) {
        scores[id] =
          scores[id].map { score in
            switch aggregate {
            case "MIN": min(score, weight)
            case "MAX": max(score, weight)
            default: score + weight
            }
          } ?? weight
      }
      let finished = scores.enumerated().map { id, score -> Float in
        // A target without votes is zero, without its base value too, unless it is the only one.
        guard let score = score ?? (shape[1] == 1 ? 0 : nil) else { return 0 }
        let mean = aggregate == "AVERAGE" ? score / Double(trees.treeCount) : score
        return Float(mean + (bases.isEmpty ? 0 : bases[id]))
      }
      y += shape[1] > 1 || transform == .probit ? transform(finished) : finished
    }
    return [Tensor(y, shape: shape)]
  }

  private func bases(_ call: Invocation) throws(CompileError) -> [Double] {
    let isGiven = call.has("base_values") || call.has("base_values_as_tensor")
    return isGiven ? try call.numbers("base_values") : []
  }

  private func classify(_ call: Invocation, _ x: Tensor) throws(CompileError) -> [Tensor] {
    let labels = try call.labels(integers: "classlabels_int64s", strings: "classlabels_strings")
    let trees = try TreeVotes(call, votes: "class", count: labels.count)
    let bases = try bases(call)
    let transform: ScoreTransform = try call.choice("post_transform")
    guard labels.count > 2 ? bases.isEmpty || bases.count == labels.count : bases.count < 2,
      labels.count > 1, labels.count > 2 || transform != .probit
    else { throw call.unsupported("classes with these scores are not evaluated") }
    var winners: [Int] = []
    var z: [Float] = []
    for row in rows(x) {
      var scores = [Double?](repeating: nil, count: labels.count)
      for (id, weight) in try trees(row, call) { scores[id] = (scores[id] ?? 0) + weight }
      guard labels.count > 2 else {
        scores[0] = (scores[0] ?? 0) + (bases.first ?? 0)
        let (second, both) = Self.pair(scores.map { $0.map { Float($0) } }, trees, transform)
        winners.append(second ? 1 : 0)
        z += both
        continue
      }
      if !bases.isEmpty { for id in bases.indices { scores[id] = (scores[id] ?? 0) + bases[id] } }
      var winner: Int?
      for (id, score) in scores.enumerated() {
        guard let score else { continue }
        if winner.map({ score > scores[$0]! }) ?? true { winner = id }
      }
      winners.append(winner ?? 0)
      z += transform(scores.map { Float($0 ?? 0) })
    }
    // onnxruntime calls two classes that both have votes 0 and 1, whatever their labels are.
    let isByNumber = labels.count == 2 && trees.ids.count > 1 && labels.elementType == .int64
    let y = isByNumber ? Tensor(winners) : labels.keeping(winners, alongAxis: 0)
    return [y, Tensor(z, shape: [winners.count, labels.count])]
  }

  /// Whether the second of two classes wins, and the scores of both.
  private static func pair(
    _ scores: [Float?], _ trees: TreeVotes, _ transform: ScoreTransform
  ) -> (isSecond: Bool, scores: [Float]) {
    let first = scores[0] ?? 0
    let decisive = scores[1] ?? first
    let areShares = trees.ids.count == 1 && trees.areNonnegative
    let isSecond = decisive > (areShares ? 0.5 : 0)
    if let second = scores[1] { return (isSecond, transform([first, second])) }
    // Votes for one class alone are those for the second.
    if transform == .logistic { return (isSecond, transform([-first, first])) }
    return (isSecond, [areShares ? 1 - first : -first, first])
  }
}
