import Foundation

/// The time of a part as a function of the widths that it depends on, from some widths at which it has been measured.
///
///     t(w) = e(w) * exp(mean of log(t_i / e(w_i)), weighted by 1 / |log w - log w_i|^2)
///     e(w) = c . work(w),  c >= 0
///
/// where the vector `work` counts what takes time (calls, operations, elements moved), and c is the fit with the least sum of
/// squared relative errors to the measured times t_i at w_i. So estimates follow the amount of work, and agree with what has been measured.
struct PartTimeModel {
  struct Sample {
    let widths: [Int]
    let work: [Double]
    let seconds: Double
  }

  private let samples: [Sample]
  private let coefficients: [Double]

  /// `samples` are of different widths, at least one.
  init(_ samples: [Sample]) {
    self.samples = samples
    coefficients = Self.fit(samples)
  }

  private static let sweeps = 300

  /// Coefficients that are not negative, by coordinate descent on the relative errors.
  private static func fit(_ samples: [Sample]) -> [Double] {
    let rows = samples.map { sample in sample.work.map { $0 / sample.seconds } }
    var coefficients = [Double](repeating: 0, count: samples[0].work.count)
    var rest = [Double](repeating: 1, count: rows.count)
    for _ in 0..<sweeps {
      for column in coefficients.indices {
        let square = rows.reduce(0) { $0 + $1[column] * $1[column] }
        guard square > 0 else { continue }
        let slope = zip(rows, rest).reduce(0) { $0 + $1.0[column] * $1.1 }
        let next = max(0, coefficients[column] + slope / square)
        let change = next - coefficients[column]
        for row in rows.indices { rest[row] -= change * rows[row][column] }
        coefficients[column] = next
      }
    }
    return coefficients
  }

  private func fitted(_ work: [Double]) -> Double {
    max(zip(coefficients, work).reduce(0) { $0 + $1.0 * $1.1 }, .leastNormalMagnitude)
  }

  /// The time at some widths, in seconds.
  func seconds(widths: [Int], work: [Double]) -> Double {
    var (sum, total) = (0.0, 0.0)
    for sample in samples {
      let distance = zip(widths, sample.widths).reduce(0.0) { sum, pair in
        let step = log(Double(max(1, pair.0)) / Double(max(1, pair.1)))
        return sum + step * step
      }
      if distance == 0 { return sample.seconds }
      sum += log(sample.seconds / fitted(sample.work)) / distance
      total += 1 / distance
    }
    return fitted(work) * exp(total > 0 ? sum / total : 0)
  }

  /// Ratio of the time that a sample takes to the time that the fit gives.
  func surprise(_ sample: Sample) -> Double { sample.seconds / fitted(sample.work) }
}
