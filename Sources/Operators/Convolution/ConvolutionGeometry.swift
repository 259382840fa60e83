import PrunecGraphIR

/// The spatial side of a convolution or pooling: kernel, strides, dilations and padding, one entry
/// per spatial axis, as ONNX's `Conv` and the pooling operators share them.
struct ConvolutionGeometry {
  let kernel: [Int]
  let strides: [Int]
  let dilations: [Int]
  /// Padding before and after each spatial axis; `nil` where it depends on an unknown extent.
  let padding: [(before: Int, after: Int)]?
  /// Output extents, unknown where the input's are.
  let output: [Dimension]

  /// Reads the attributes of `call` for spatial `input` extents. `roundsUp` is `ceil_mode`.
  init(
    _ call: Invocation, kernel: [Int], input: [Dimension], roundsUp: Bool = false,
    hasDilations: Bool = true
  ) throws(CompileError) {
    let rank = input.count
    let ones = [Int](repeating: 1, count: rank)
    let strides = try call.optionalInts("strides") ?? ones
    let dilations = hasDilations ? try call.optionalInts("dilations") ?? ones : ones
    let pads = try call.optionalInts("pads") ?? [Int](repeating: 0, count: 2 * rank)
    guard kernel.count == rank, strides.count == rank, dilations.count == rank,
      pads.count == 2 * rank
    else {
      throw call.malformed("kernel, strides, dilations or pads do not fit \(rank) spatial axes")
    }
    let limit = 1 << 31
    guard (kernel + strides + dilations).allSatisfy({ (1...limit).contains($0) }) else {
      throw call.malformed("kernel extents, strides and dilations must be positive")
    }
    guard pads.allSatisfy({ (-limit...limit).contains($0) }) else {
      throw call.malformed("a padding is out of range")
    }
    let hasMode = call.signature.attributes.keys.contains("auto_pad")
    let mode = hasMode ? call.string("auto_pad") ?? "NOTSET" : "NOTSET"
    var padding: [(Int, Int)]? = []
    var output: [Dimension] = []
    for axis in 0..<rank {
      let (reach, overflow) = (kernel[axis] - 1).multipliedReportingOverflow(by: dilations[axis])
      guard !overflow, reach < limit else { throw call.malformed("the kernel reaches too far") }
      guard let extent = input[axis].fixedExtent, extent < limit else {
        if mode == "NOTSET" || mode == "VALID" {
          let pair = mode == "VALID" ? (0, 0) : (pads[axis], pads[rank + axis])
          padding?.append(pair)
        } else {
          padding = nil
        }
        output.append(.unknown)
        continue
      }
      let pair: (Int, Int)
      switch mode {
      case "NOTSET": pair = (pads[axis], pads[rank + axis])
      case "VALID": pair = (0, 0)
      case "SAME_UPPER", "SAME_LOWER":
        let target = (extent + strides[axis] - 1) / strides[axis]
        let total = max(0, (target - 1) * strides[axis] + reach + 1 - extent)
        let small = total / 2
        pair = mode == "SAME_UPPER" ? (small, total - small) : (total - small, small)
      default: throw call.malformed("unknown auto_pad '\(mode)'")
      }
      padding?.append(pair)
      let span = extent + pair.0 + pair.1 - reach - 1
      guard span >= 0 else { throw call.malformed("the kernel is larger than its padded input") }
      var count = (span + (roundsUp ? strides[axis] - 1 : 0)) / strides[axis] + 1
      // A last window that starts beyond the input and its leading padding is dropped.
      if roundsUp, (count - 1) * strides[axis] >= extent + pair.0 { count -= 1 }
      output.append(.fixed(count))
    }
    self.kernel = kernel
    self.strides = strides
    self.dilations = dilations
    self.padding = padding.map { $0.map { (before: $0.0, after: $0.1) } }
    self.output = output
  }

  /// For output index `index` and kernel index `offset` along `axis`: the input index, which may lie
  /// in the padding.
  func inputIndex(_ index: Int, kernel offset: Int, axis: Int) -> Int {
    index * strides[axis] + offset * dilations[axis] - padding![axis].before
  }
}
