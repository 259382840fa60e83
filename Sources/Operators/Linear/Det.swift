import PrunecGraphIR
import PrunecTensors

/// Det (ONNX opset 11 to 28): the determinants of square matrices `X [..., M, M]`, `Y [...]`.
///
/// Channels: leading axes go with themselves; rows and columns are pinned.
struct Det: Operator {
  let signature = Signature("Det", opsets: 11...28, operands: 1...1)

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0)
    guard let shape = call.shape(0) else { return [ValueFacts(call.elementType(0), nil)] }
    guard shape.count >= 2 else { throw call.malformed("X has \(shape.count) axes") }
    let matrix = shape.suffix(2).compactMap(\.fixedExtent)
    guard matrix.count < 2 || matrix[0] == matrix[1] else {
      throw call.malformed("matrices of \(matrix[0]) by \(matrix[1]) have no determinant")
    }
    return [ValueFacts(call.elementType(0), shape.dropLast(2))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    for axis in (call.results.first?.shape ?? []).indices {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let x = try call.tensor(0, of: operands)
    let (size, elements) = (x.shape.last!, x.doubles)
    guard size <= 512 else { throw call.unsupported("the matrices are too large to compute") }
    let determinants = (0..<shape.elementCount).map { index in
      let start = index * size * size
      return Self.determinant(Array(elements[start..<(start + size * size)]), size)
    }
    return [Tensor(rounding: determinants, to: x.elementType, shape: shape)]
  }

  /// Gaussian elimination with the greatest pivot of each column.
  private static func determinant(_ matrix: [Double], _ size: Int) -> Double {
    var matrix = matrix
    var determinant = 1.0
    for column in 0..<size {
      var pivot = column
      for row in column..<size
      where abs(matrix[row * size + column]) > abs(matrix[pivot * size + column]) {
        pivot = row
      }
      let value = matrix[pivot * size + column]
      guard value != 0 else { return 0 }
      determinant *= pivot == column ? value : -value
      for index in 0..<size { matrix.swapAt(pivot * size + index, column * size + index) }
      for row in (column + 1)..<max(size, column + 1) {
        let factor = matrix[row * size + column] / value
        for index in column..<size {
          matrix[row * size + index] -= factor * matrix[column * size + index]
        }
      }
    }
    return determinant
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
