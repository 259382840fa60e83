import PrunecGraphIR
import PrunecTensors

/// Scan (ONNX opset 9 to 28): runs `body` on the slices of its last operands, one after the other. Each
/// iteration takes the carried values and a slice of each, and makes the next carried values, and slices;
/// the results are the last carried values and the slices, stacked. Axes and directions may be given.
struct Scan: Sendable {
  let body: Graph
  /// How many of the operands are scanned: the last.
  let scannedCount: Int
  let inputAxes: [Int]
  let outputAxes: [Int]
  /// 1 for what is scanned, or stacked, from the last slice to the first.
  let inputDirections: [Int]
  let outputDirections: [Int]

  /// `nil` where the attributes are not those of a Scan.
  init?(_ node: Node, _ body: Graph) {
    func list(_ name: String) -> [Int] {
      guard case .ints(let list)? = node.attribute(name)?.value else { return [] }
      return list.map(Int.init)
    }
    guard case .int(let count)? = node.attribute("num_scan_inputs")?.value, count > 0,
      count <= node.inputs.count
    else { return nil }
    self.body = body
    scannedCount = Int(count)
    inputAxes = list("scan_input_axes")
    outputAxes = list("scan_output_axes")
    inputDirections = list("scan_input_directions")
    outputDirections = list("scan_output_directions")
  }
}

extension ControlFlow {
  func scan(
    _ scan: Scan, _ operands: [Tensor?], _ effort: inout EvaluationEffort, runner: Runner
  ) throws(CompileError) -> [Tensor] {
    /// Element `index` of a list that may be left out.
    func entry(_ list: [Int], _ index: Int) -> Int { index < list.count ? list[index] : 0 }

    var carried: [Tensor] = []
    for operand in operands {
      guard let operand else { throw malformed("an operand is left out") }
      carried.append(operand)
    }
    let scanned = carried.suffix(scan.scannedCount).map(\.contiguous)
    carried.removeLast(scan.scannedCount)
    var axes: [Int] = []
    for (index, tensor) in scanned.enumerated() {
      axes.append(try position(entry(scan.inputAxes, index), rank: tensor.rank))
    }
    let count = scanned[0].shape[axes[0]]
    guard zip(scanned, axes).allSatisfy({ $0.shape[$1] == count }) else {
      throw malformed("the scanned operands are of different lengths")
    }
    guard scan.body.outputs.count >= carried.count else {
      throw malformed("its graph makes \(scan.body.outputs.count) of more values")
    }

    let firstSlice = carried.count
    var slices = [[Tensor]](repeating: [], count: scan.body.outputs.count - firstSlice)
    for iteration in 0..<count {
      let parts = scanned.indices.map { index -> Tensor in
        let isReversed = entry(scan.inputDirections, index) == 1
        let place = isReversed ? count - 1 - iteration : iteration
        var shape = scanned[index].shape
        shape.remove(at: axes[index])
        return scanned[index].keeping([place], alongAxis: axes[index]).reshaped(shape)
      }
      let made = try runner(0, carried + parts, &effort)
      carried = Array(made[..<firstSlice])
      try effort.spend(on: Array(made[firstSlice...]), at: location)
      for index in slices.indices { slices[index].append(made[firstSlice + index]) }
    }
    var results = carried
    for (index, list) in slices.enumerated() {
      let ordered = entry(scan.outputDirections, index) == 1 ? list.reversed() : list
      results.append(
        try stacked(
          ordered, ofOutput: firstSlice + index, scan.body, axis: entry(scan.outputAxes, index)))
    }
    return results
  }
}
