import Glibc
import PrunecGraphIR

/// Function of the scores of a linear model or of trees, as the attribute `post_transform` names it.
enum ScoreTransform: String {
  case none = "NONE"
  case logistic = "LOGISTIC"
  case softmax = "SOFTMAX"
  /// The same, but for scores that are zero, which stay so.
  case softmaxZero = "SOFTMAX_ZERO"
  /// The inverse of the normal distribution's function.
  case probit = "PROBIT"

  static let attribute: [String: Attribute.Value?] = [
    "post_transform": .string(Array("NONE".utf8))
  ]

  /// The transform of the scores of one sample.
  func callAsFunction(_ scores: [Float]) -> [Float] {
    switch self {
    case .none: scores
    case .logistic: scores.map { 1 / (1 + expf(-$0)) }
    case .probit: scores.map(Self.probit)
    case .softmax, .softmaxZero: shares(scores)
    }
  }

  private func shares(_ scores: [Float]) -> [Float] {
    let greatest = scores.max() ?? 0
    let shares = scores.map { score in
      self == .softmaxZero && abs(score) <= 1e-7 ? score * expf(-greatest) : expf(score - greatest)
    }
    let sum = shares.reduce(0, +)
    return shares.map { sum == 0 ? 0.5 : $0 / sum }
  }

  /// By Winitzki's approximation of the inverse error function, which onnxruntime takes.
  private static func probit(_ score: Float) -> Float {
    let x = 2 * score - 1
    let logarithm = logf((1 - x) * (1 + x))
    let half = 2 / (Float.pi * 0.147) + 0.5 * logarithm
    let root = (-half + (half * half - logarithm / 0.147).squareRoot()).squareRoot()
    return 1.41421356 * (x < 0 ? -root : root)
  }
}

/// Scores `[N, C]` as linear models make them: `X W' + b`, with the coefficients of each score one after the other.
struct LinearScores {
  let coefficients, intercepts: [Float]

  init(_ call: Invocation) throws(CompileError) {
    guard let coefficients = call.floats("coefficients"), !coefficients.isEmpty else {
      throw call.malformed("'coefficients' must be a list of floats")
    }
    self.coefficients = coefficients
    intercepts = call.floats("intercepts") ?? []
  }

  func callAsFunction(_ row: ArraySlice<Float>, count: Int) -> [Float] {
    (0..<count).map { score in
      var sum: Float = 0
      for (offset, element) in row.enumerated() {
        sum += element * coefficients[score * row.count + offset]
      }
      return intercepts.isEmpty ? sum : sum + intercepts[score]
    }
  }
}
