import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// MatMulInteger and QLinearMatMul as MatMul.
extension ExpandedGraph {
  mutating func expandMatMulInteger(_ node: NodeID, _ call: Invocation) -> [ValueID?]? {
    addMatrixSums(node, call, a: 0, aZeroPoint: 2, b: 1, bZeroPoint: 3).map { [$0] }
  }

  mutating func expandQLinearMatMul(_ node: NodeID, _ call: Invocation) -> [ValueID?]? {
    let inputs = graph[node].inputs
    guard call.results[0].elementType == .int8 || call.results[0].elementType == .uint8,
      let columns = call.shape(3)?.last?.fixedExtent,
      let factors = factors(inputs[1], inputs[4], inputs[6], filters: columns, trailingAxes: 0),
      isSingle(inputs[7], call, 7),
      let sums = addMatrixSums(node, call, a: 0, aZeroPoint: 2, b: 3, bZeroPoint: 5)
    else { return nil }
    return [addRequantized(sums, by: factors, zeroPoint: inputs[7]!, for: node)]
  }

  /// The sums of a product of matrices, as int32; the numbers are places of operands.
  private mutating func addMatrixSums(
    _ node: NodeID, _ call: Invocation, a: Int, aZeroPoint: Int, b: Int, bZeroPoint: Int
  ) -> ValueID? {
    let inputs = graph[node].inputs
    func input(_ index: Int) -> ValueID? { index < inputs.count ? inputs[index] : nil }
    let (left, right) = (input(a)!, input(b)!)
    let (leftZero, rightZero) = (input(aZeroPoint), input(bZeroPoint))
    guard let rank = call.shape(a)?.count, rank >= 2,
      let inner = call.shape(b)?.dropLast().last?.fixedExtent, inner > 0,
      leftZero == nil || isSingle(leftZero, call, aZeroPoint),
      let reach = IntegerSums.reach(
        call.elementType(a), zeroPoint: constant(leftZero), isPresent: leftZero != nil),
      let weightReach = IntegerSums.reach(
        call.elementType(b), zeroPoint: constant(rightZero), isPresent: rightZero != nil)
    else { return nil }

    let columns = call.shape(b)!.last!.fixedExtent
    let found: [Range<Int>]?
    var axis: Int?
    if let matrix = constant(right), matrix.rank == 2, let columns,
      isZeroPoint(rightZero, filters: columns, call)
    {
      let zeros = constant(rightZero)
      if let zeros, zeros.count > 1 { axis = 1 }
      let magnitudes = IntegerSums.magnitudes(matrix, zeros) { $0 % columns }
      found = IntegerSums.parts(inner, reach: reach) { row in
        magnitudes[(row * columns)..<((row + 1) * columns)].map(Int.init)
      }
    } else {
      guard rightZero == nil || isSingle(rightZero, call, bZeroPoint) else { return nil }
      found = IntegerSums.parts(inner, reach: reach, weightReach: weightReach)
    }
    guard let parts = found else { return nil }

    let wholeA = addShifted(left, zeroPoint: leftZero, for: node)
    let wholeB = addShifted(right, zeroPoint: rightZero, axis: axis, for: node)
    guard parts.count > 1 else {
      return addSum(of: [addExact("MatMul", [wholeA, wholeB], for: node)], for: node)
    }
    let products = parts.map { part in
      let partA = addSlice(wholeA, axis: rank - 1, part, for: node)
      let partB = addSlice(wholeB, axis: call.shape(b)!.count - 2, part, for: node)
      return addExact("MatMul", [partA, partB], for: node)
    }
    return addSum(of: products, for: node)
  }
}
