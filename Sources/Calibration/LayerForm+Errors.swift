import PrunecLinearAlgebra
import PrunecTensors

extension LayerForm {
  /// Mean of the squared distances of targets and what a weight and a bias make of their rows, `moments` being those of each group.
  func error(of weight: Tensor, _ bias: [Float]?, on moments: [Moments]) -> Double {
    moments.enumerated().reduce(0) { sum, part in
      let rows = (part.offset * outputs)..<((part.offset + 1) * outputs)
      let fit = LinearFit(
        matrix: matrix(of: weight, group: part.offset).map(Double.init),
        bias: bias.map { $0[rows].map(Double.init) })
      return sum + fit.error(on: part.element)
    }
  }

  /// Root mean square of what another weight changes of the products, over that of the products.
  func relativeChange(of weight: Tensor, to other: Tensor, on moments: [Moments]) -> Double {
    var (change, power) = (0.0, 0.0)
    for (group, moments) in moments.enumerated() {
      let before = matrix(of: weight, group: group).map(Double.init)
      let after = matrix(of: other, group: group).map(Double.init)
      let second = moments.covariance(isCentred: false)
      change += self.power(of: zip(after, before).map { $0 - $1 }, second)
      power += self.power(of: before, second)
    }
    return power > 0 ? (max(0, change) / power).squareRoot() : 0
  }

  /// `tr(M C M^T)` for `M [outputs, rowLength]`.
  private func power(of matrix: [Double], _ second: [Double]) -> Double {
    let product = LinearAlgebra.product(matrix, second, m: outputs, k: rowLength, n: rowLength)
    return zip(product, matrix).reduce(0) { $0 + $1.0 * $1.1 }
  }
}
