import PrunecGraphIR
import PrunecTensors

/// Tile (ONNX opset 7 to 28): `input` repeated `repeats[i]` times along axis `i`.
///
/// Channels: a repeated axis of the result is the product of the repetition and the operand's axis; a
/// channel goes from every repetition at once.
struct Tile: Operator {
  let signature = Signature("Tile", operands: 2...2)

  private func repeats(_ call: Invocation, rank: Int) throws(CompileError) -> [SymbolicInteger]? {
    try call.requireIntegerList(1)
    guard let repeats = call.operand(1)?.integers else { return nil }
    guard repeats.count == rank else {
      throw call.malformed("\(repeats.count) repeats are given for \(rank) axes")
    }
    for case .fixed(let count) in repeats where count < 0 {
      throw call.malformed("an axis is repeated \(count) times")
    }
    return repeats
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    guard let input = call.shape(0) else {
      return [ValueFacts(type, call.unknownExtents(countedByOperand: 1))]
    }
    guard let repeats = try repeats(call, rank: input.count) else {
      return [ValueFacts(type, [Dimension](repeating: .unknown, count: input.count))]
    }
    var shape: [Dimension] = []
    for (dimension, count) in zip(input, repeats) {
      if case .fixed(let a) = dimension.extent, case .fixed(let b) = count,
        a.multipliedReportingOverflow(by: b).overflow
      {
        throw call.malformed("an extent is out of range")
      }
      shape.append(Dimension(SymbolicArithmetic.multiply(dimension.extent, count)))
    }
    return [ValueFacts(type, shape, contents: movedContents(call, of: 0..<1, to: shape))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), let repeats = try? repeats(call, rank: input.count) else {
      return
    }
    for (axis, count) in repeats.enumerated() {
      if count == .fixed(1) {
        relations.equal(.operand(0, axis: axis), .result(axis: axis))
      } else if case .fixed(let count) = count, count > 0, input[axis].fixedExtent ?? 0 > 0 {
        let repetition = relations.virtualAxis(extent: count)
        relations.pin(repetition, because: "the number of repetitions stays")
        relations.split(.result(axis: axis), into: [repetition, .operand(0, axis: axis)])
      } else {
        relations.pin(.operand(0, axis: axis), because: "the number of repetitions is not known")
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let input = try call.tensor(0, of: operands)
    if shape.contains(0) { return [input.emptied(shape)] }
    let own = input.shape.rowMajorStrides
    let pairs = shape.indices.map { axis in
      (extents: [shape[axis] / input.shape[axis], input.shape[axis]], strides: [0, own[axis]])
    }
    let tiled = input.strided(shape: pairs.flatMap(\.extents), strides: pairs.flatMap(\.strides))
    return [tiled.reshaped(shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Tile: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let (input, output) = (call.operand(0)!.fixedShape!, call.results[0].fixedShape!)
    guard !output.contains(0) else { return nil }
    // An axis of repetitions before each that is repeated.
    var (divided, stretched): ([Int], [Int]) = ([], [])
    for (own, extent) in zip(input, output) {
      if own != extent {
        divided.append(1)
        stretched.append(extent / own)
      }
      divided.append(own)
      stretched.append(own)
    }
    return .views([[.reshape(divided), .broadcast(stretched), .reshape(output)]])
  }
}
