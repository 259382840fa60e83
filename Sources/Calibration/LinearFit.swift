import PrunecLinearAlgebra

/// A matrix and a bias that bring rows as close as possible to targets.
///
/// Ridge regression towards a prior: with C the covariance of the rows, D that of targets and rows, and W0 the prior,
///
///     W = (D + r W0) (C + r I)^-1        r = strength * mean of the diagonal of C
///     b = mean(y) - W mean(x)
///
/// so that what the rows do not tell stays as it was.
package struct LinearFit: Sendable {
  /// `[outputs, inputs]`.
  package var matrix: [Double]
  /// `nil` for a fit without a bias, whose moments are taken about zero.
  package var bias: [Double]?

  package init(matrix: [Double], bias: [Double]?) { (self.matrix, self.bias) = (matrix, bias) }

  /// Strengths that are tried where they are few.
  private static let strengths = [1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3, 10]
  /// Rows per unknown from which on the usual strength serves.
  private static let plenty = 10

  /// The fit of one strength; `nil` where the rows are not finite.
  package static func ridge(
    _ moments: Moments, prior: [Double], strength: Double, hasBias: Bool
  ) -> LinearFit? {
    let covariances = Covariances(moments, isCentred: hasBias)
    return ridge(moments, covariances, prior: prior, strength: strength, hasBias: hasBias)
  }

  /// Second moments as the normal equations take them.
  private struct Covariances {
    let second, cross: [Double]

    init(_ moments: Moments, isCentred: Bool) {
      second = moments.covariance(isCentred: isCentred)
      cross = moments.crossCovariance(isCentred: isCentred)
    }
  }

  private static func ridge(
    _ moments: Moments, _ covariances: Covariances, prior: [Double], strength: Double, hasBias: Bool
  ) -> LinearFit? {
    let (k, m) = (moments.inputs, moments.outputs)
    var (left, right) = (covariances.second, covariances.cross)
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

  /// The fit to both sets of rows, with a strength, `leastStrength` or more, that is chosen on the second; `prior` with its best bias
  /// where that is no worse there, and as it is where there are no rows to fit to or to judge by.
  package static func validated(
    fit: Moments, validation: Moments, prior: [Double], priorBias: [Double]?,
    leastStrength: Double = 0
  ) -> LinearFit {
    let hasBias = priorBias != nil
    guard fit.count > 0, validation.count > 0 else {
      return LinearFit(matrix: prior, bias: priorBias)
    }
    let both = fit + validation
    let isPlenty = both.count >= plenty * both.inputs
    let judge = Covariances(validation, isCentred: false)
    var best = LinearFit(matrix: prior, bias: priorBias)
    var least = best.error(on: validation, judge)
    let centred = LinearFit(matrix: prior, bias: hasBias ? bias(prior, fit) : nil)
    let centredError = centred.error(on: validation, judge)
    if centredError < least {
      least = centredError
      best = LinearFit(matrix: prior, bias: hasBias ? bias(prior, both) : nil)
    }
    let usual = isPlenty ? [1e-4, 1e-3, 1e-2, 0.1] : strengths
    let candidates = Set(usual.map { max($0, leastStrength) }).sorted()
    let covariances = Covariances(fit, isCentred: hasBias)
    let errors = concurrentMap(candidates) { strength in
      ridge(fit, covariances, prior: prior, strength: strength, hasBias: hasBias)
        .map { $0.error(on: validation, judge) } ?? .infinity
    }
    guard let (strength, error) = zip(candidates, errors).min(by: { $0.1 < $1.1 }), error < least,
      let final = ridge(both, prior: prior, strength: strength, hasBias: hasBias)
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
  package func error(on moments: Moments) -> Double {
    error(on: moments, Covariances(moments, isCentred: false))
  }

  /// `covariances` are those of `moments` about zero.
  private func error(on moments: Moments, _ covariances: Covariances) -> Double {
    let (k, m, n) = (moments.inputs, moments.outputs, Double(max(1, moments.count)))
    let product = LinearAlgebra.product(matrix, covariances.second, m: m, k: k, n: k)
    let (mean, target) = (moments.inputMean, moments.outputMean)
    var error = 0.0
    for row in 0..<m {
      let range = (row * k)..<(row * k + k)
      var (quadratic, linear, offset) = (0.0, 0.0, 0.0)
      for index in range {
        quadratic += product[index] * matrix[index]
        linear += covariances.cross[index] * matrix[index]
        offset += matrix[index] * mean[index - row * k]
      }
      let bias = bias?[row] ?? 0
      error += moments.outputSquares[row] / n + quadratic + bias * bias
      error += 2 * (bias * offset - linear - bias * target[row])
    }
    return error
  }
}
