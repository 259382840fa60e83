import PrunecGraphIR

/// Sums over rows `x [K]` and targets `y [M]`: all that least squares needs to know of them, whatever their number.
///
/// Two of them add up to those of both sets of rows, so that rows can be counted in any number of parts.
package struct Moments: Sendable {
  /// Length K of a row and M of a target.
  package let inputs, outputs: Int
  package internal(set) var count = 0
  /// `sum of x x^T [K, K]`, of which the upper triangle is filled.
  package internal(set) var second: [Double]
  /// `sum of y x^T [M, K]`.
  package private(set) var cross: [Double]
  package internal(set) var inputSum: [Double]
  package private(set) var outputSum: [Double]
  /// `sum of y^2 [M]`.
  package private(set) var outputSquares: [Double]

  package init(inputs: Int, outputs: Int) {
    (self.inputs, self.outputs) = (inputs, outputs)
    second = [Double](repeating: 0, count: inputs * inputs)
    cross = [Double](repeating: 0, count: outputs * inputs)
    inputSum = [Double](repeating: 0, count: inputs)
    outputSum = [Double](repeating: 0, count: outputs)
    outputSquares = [Double](repeating: 0, count: outputs)
  }

  /// Rows that are multiplied in single precision before they are added in double. The fewer, the less depends on which rows come
  /// together; adding the products of long rows takes its time.
  static func blockLength(forRowsOf length: Int) -> Int {
    length <= 256 ? 512 : length <= 1024 ? 1024 : 4096
  }

  /// Adds rows `x [count, K]` and their targets `y [count, M]`. Throws where there is no memory for their products.
  package mutating func add(
    _ x: [Float], _ y: [Float], count rows: Int, _ products: RowProducts
  ) throws(CompileError) {
    precondition(x.count == rows * inputs && y.count == rows * outputs)
    let blockLength = Self.blockLength(forRowsOf: inputs)
    for start in stride(from: 0, to: rows, by: blockLength) {
      let end = min(start + blockLength, rows)
      let isWhole = end - start == rows
      let block = isWhole ? x : Array(x[(start * inputs)..<(end * inputs)])
      let targets = isWhole ? y : Array(y[(start * outputs)..<(end * outputs)])
      let (panels, cross) = try products.products(
        block, targets, count: end - start, inputs: inputs, outputs: outputs)
      for panel in panels { add(panel) }
      Self.add(cross, to: &self.cross)
      Self.addRows(block, to: &inputSum)
      Self.addRows(targets, to: &outputSum)
      Self.addRows(targets.map { $0 * $0 }, to: &outputSquares)
    }
    count += rows
  }

  package static func + (one: Moments, other: Moments) -> Moments {
    var sums = one
    sums += other
    return sums
  }

  package static func += (sums: inout Moments, more: Moments) {
    precondition(sums.inputs == more.inputs && sums.outputs == more.outputs)
    sums.count += more.count
    add(more.second, to: &sums.second)
    add(more.cross, to: &sums.cross)
    add(more.inputSum, to: &sums.inputSum)
    add(more.outputSum, to: &sums.outputSum)
    add(more.outputSquares, to: &sums.outputSquares)
  }

  private mutating func add(_ panel: RowProducts.Panel) {
    let (inputs, width) = (inputs, inputs - panel.first)
    second.withUnsafeMutableBufferPointer { sums in
      panel.elements.withUnsafeBufferPointer { terms in
        nonisolated(unsafe) let (sums, terms) = (sums, terms)
        let height = width > 0 ? terms.count / width : 0
        concurrentParts(of: height, grain: 1 + 100_000 / max(1, width)) { rows in
          for row in rows {
            let start = (panel.first + row) * inputs + panel.first
            for column in row..<width {
              sums[start + column] += Double(terms[row * width + column])
            }
          }
        }
      }
    }
  }

  private static func add<Number: BinaryFloatingPoint>(_ terms: [Number], to sums: inout [Double]) {
    sums.withUnsafeMutableBufferPointer { sums in
      terms.withUnsafeBufferPointer { terms in
        for index in sums.indices { sums[index] += Double(terms[index]) }
      }
    }
  }

  /// Adds each row of a matrix.
  private static func addRows(_ rows: [Float], to sums: inout [Double]) {
    let columns = sums.count
    rows.withUnsafeBufferPointer { rows in
      sums.withUnsafeMutableBufferPointer { sums in
        for start in stride(from: 0, to: rows.count, by: max(1, columns)) {
          for column in 0..<columns { sums[column] += Double(rows[start + column]) }
        }
      }
    }
  }
}

extension Moments {
  /// Mean of the rows, `[K]`.
  package var inputMean: [Double] { inputSum.map { $0 / Double(max(1, count)) } }

  /// Mean of the targets, `[M]`.
  package var outputMean: [Double] { outputSum.map { $0 / Double(max(1, count)) } }

  /// Mean of the squares of the rows' elements, `[K]`.
  package var meanSquares: [Double] {
    (0..<inputs).map { second[$0 * inputs + $0] / Double(max(1, count)) }
  }

  /// Covariance of the rows, `[K, K]`; with `isCentred` false their second moment about zero.
  package func covariance(isCentred: Bool = true) -> [Double] {
    var result = second
    let (n, mean) = (Double(max(1, count)), inputMean)
    result.withUnsafeMutableBufferPointer { result in
      for row in 0..<inputs {
        for column in row..<inputs {
          var value = result[row * inputs + column] / n
          if isCentred { value -= mean[row] * mean[column] }
          result[row * inputs + column] = value
          result[column * inputs + row] = value
        }
      }
    }
    return result
  }

  /// Covariance of targets and rows, `[M, K]`; with `isCentred` false their second moment about zero.
  package func crossCovariance(isCentred: Bool = true) -> [Double] {
    var result = cross
    let (n, mean, target) = (Double(max(1, count)), inputMean, outputMean)
    for row in 0..<outputs {
      for column in 0..<inputs {
        result[row * inputs + column] /= n
        if isCentred { result[row * inputs + column] -= target[row] * mean[column] }
      }
    }
    return result
  }

  /// The sums of rows of which only the elements `indices` are there.
  package func keeping(inputs indices: [Int]) -> Moments {
    var kept = Moments(inputs: indices.count, outputs: outputs)
    kept.count = count
    for (row, from) in indices.enumerated() {
      for (column, other) in indices.enumerated() where column >= row {
        kept.second[row * indices.count + column] =
          second[min(from, other) * inputs + max(from, other)]
      }
    }
    for output in 0..<outputs {
      for (column, from) in indices.enumerated() {
        kept.cross[output * indices.count + column] = cross[output * inputs + from]
      }
    }
    kept.inputSum = indices.map { inputSum[$0] }
    (kept.outputSum, kept.outputSquares) = (outputSum, outputSquares)
    return kept
  }
}
