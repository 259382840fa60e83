import LinearAlgebra

/// A matrix and a bias that bring rows as close as possible to targets.
///
/// Ridge regression towards a prior: with C the covariance of the rows, D that of targets and rows, and W0 the prior,
///
///     W = (D + r W0) (C + r I)^-1        r = strength * mean of the diagonal of C
///     b = mean(y) - W mean(x)
///
/// so that what the rows do not tell stays as it was.
public struct LinearFit: Sendable {
  /// `[outputs, inputs]`.
  public var matrix: [Double]
  /// `nil` for a fit without a bias, whose moments are taken about zero.
  public var bias: [Double]?

  public init(matrix: [Double], bias: [Double]?) { (self.matrix, self.bias) = (matrix, bias) }

  /// Strengths that are tried where they are few.
  private static let strengths = [1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3, 10]
  /// Rows per unknown from which on the usual strength serves.
  private static let plenty = 20

  /// The fit of one strength; `nil` where the rows are not finite.
  public static func ridge(
    _ moments: Moments, prior: [Double], strength: Double, hasBias: Bool
  ) -> LinearFit? {
    let (k, m) = (moments.inputs, moments.outputs)
    var left = moments.covariance(isCentred: hasBias)
    var right = moments.crossCovariance(isCentred: hasBias)
    let mean = (0..<k).reduce(0) { $0 + left[$1 * k + $1] } / Double(max(1, k))
    // Rows of zeros say nothing: the prior is as good as anything.
    let ridge = strength * (mean > 0 ? mean : 1)
    for index in 0..<k { left[index * k + index] += ridge }
    for index in right.indices { right[index] += ridge * prior[index] }
    guard let matrix = LinearAlgebra.solve(left, right, n: k, count: m),
      matrix.allSatisfy(\.isFinite)
    else { return nil }
    return LinearFit(matrix: matrix, bias: hasBias ? bias(matrix, moments) : nil)
  }

  /// The fit to both sets of rows, with a strength that is chosen on the second where rows are few; `prior` with its best bias
  /// where that is no worse there, and as it is where there are no rows to fit to or to judge by.
  public static func validated(
    fit: Moments, validation: Moments, prior: [Double], priorBias: [Double]?
  ) -> LinearFit {
    let hasBias = priorBias != nil
    guard fit.count > 0, validation.count > 0 else {
      return LinearFit(matrix: prior, bias: priorBias)
    }
    var both = fit
    both += validation
    let isPlenty = both.count >= plenty * both.inputs
    var best = LinearFit(matrix: prior, bias: priorBias)
    var least = best.error(on: validation)
    var bestStrength: Double?
    let centred = LinearFit(matrix: prior, bias: hasBias ? bias(prior, fit) : nil)
    if centred.error(on: validation) < least {
      least = centred.error(on: validation)
      best = LinearFit(matrix: prior, bias: hasBias ? bias(prior, both) : nil)
    }
    for strength in isPlenty ? [1e-4, 1e-3, 1e-2, 0.1] : strengths {
      guard let trial = ridge(fit, prior: prior, strength: strength, hasBias: hasBias) else {
        continue
      }
      let error = trial.error(on: validation)
      if error < least { (least, bestStrength) = (error, strength) }
    }
    guard let bestStrength,
      let final = ridge(both, prior: prior, strength: bestStrength, hasBias: hasBias)
    else { return best }
    return final
  }

  private static func bias(_ matrix: [Double], _ moments: Moments) -> [Double] {
    let (mean, target) = (moments.inputMean, moments.outputMean)
    return target.indices.map { row in
      mean.indices.reduce(target[row]) { $0 - matrix[row * mean.count + $1] * mean[$1] }
    }
  }

  /// Mean of the squared distances of targets and what the fit makes of their rows.
  public func error(on moments: Moments) -> Double {
    let (k, m, n) = (moments.inputs, moments.outputs, Double(max(1, moments.count)))
    let second = moments.covariance(isCentred: false)
    let cross = moments.crossCovariance(isCentred: false)
    let product = LinearAlgebra.product(matrix, second, m: m, k: k, n: k)
    let (mean, target) = (moments.inputMean, moments.outputMean)
    var error = 0.0
    for row in 0..<m {
      let range = (row * k)..<(row * k + k)
      var (quadratic, linear, offset) = (0.0, 0.0, 0.0)
      for index in range {
        quadratic += product[index] * matrix[index]
        linear += cross[index] * matrix[index]
        offset += matrix[index] * mean[index - row * k]
      }
      let bias = bias?[row] ?? 0
      error += moments.outputSquares[row] / n + quadratic + bias * bias
      error += 2 * (bias * offset - linear - bias * target[row])
    }
    return error
  }
}
