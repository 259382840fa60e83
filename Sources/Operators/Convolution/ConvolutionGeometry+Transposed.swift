import PrunecGraphIR

extension ConvolutionGeometry {
  /// The geometry of a transposed convolution: that of the convolution which would lead from its
  /// output back to its input, so that `inputIndex` takes an index of X and gives one of Y. `output`
  /// holds the extents of Y, which `output_padding`, `output_shape` and `auto_pad` have a say in.
  init(
    transposed call: Invocation, kernel: [Int], input: [Dimension]
  ) throws(CompileError) {
    let rank = input.count
    let (ones, zeros) = ([Int](repeating: 1, count: rank), [Int](repeating: 0, count: rank))
    let strides = try call.optionalInts("strides") ?? ones
    let dilations = try call.optionalInts("dilations") ?? ones
    let pads = try call.optionalInts("pads") ?? zeros + zeros
    let extra = try call.optionalInts("output_padding") ?? zeros
    let wanted = try call.optionalInts("output_shape")
    guard kernel.count == rank, strides.count == rank, dilations.count == rank,
      pads.count == 2 * rank, extra.count == rank, wanted?.count ?? rank == rank
    else {
      throw call.malformed("kernel, strides, pads or output extents do not fit \(rank) axes")
    }
    let limit = 1 << 31
    guard (kernel + strides + dilations).allSatisfy({ (1...limit).contains($0) }) else {
      throw call.malformed("kernel extents, strides and dilations must be positive")
    }
    guard (extra + (wanted ?? [])).allSatisfy({ (0...limit).contains($0) }),
      pads.allSatisfy({ (-limit...limit).contains($0) })
    else { throw call.malformed("a padding or output extent is out of range") }
    let mode = call.string("auto_pad") ?? "NOTSET"
    guard ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"].contains(mode) else {
      throw call.malformed("unknown auto_pad '\(mode)'")
    }

    var padding: [(before: Int, after: Int)]? = []
    var output: [Dimension] = []
    for axis in 0..<rank {
      guard let extent = input[axis].fixedExtent, (0..<limit).contains(extent) else {
        // With an output extent given, the padding follows from the input's, which is not known.
        padding = nil
        output.append(wanted.map { .fixed($0[axis]) } ?? .unknown)
        continue
      }
      let (reach, overflow) = (kernel[axis] - 1).multipliedReportingOverflow(by: dilations[axis])
      guard !overflow, reach < limit else { throw call.malformed("the kernel reaches too far") }
      let natural = strides[axis] * (extent - 1) + extra[axis] + reach + 1
      let isSame = mode == "SAME_UPPER" || mode == "SAME_LOWER"
      var pair = mode == "VALID" ? (0, 0) : (pads[axis], pads[rank + axis])
      var count = natural - pair.0 - pair.1
      if let target = wanted?[axis] ?? (isSame ? extent * strides[axis] : nil) {
        let total = max(0, natural - target)
        let small = total / 2
        pair = mode == "SAME_UPPER" ? (small, total - small) : (total - small, small)
        count = target
      }
      guard count >= 0 else { throw call.malformed("the padding is larger than the output") }
      padding?.append(pair)
      output.append(.fixed(count))
    }
    self.kernel = kernel
    self.strides = strides
    self.dilations = dilations
    self.padding = padding
    self.output = output
  }

  /// The kernel's extents: those that W, whose axes from 2 on they are, and `kernel_shape` give;
  /// `nil` where neither is known.
  static func kernel(
    _ call: Invocation, weight: [Dimension]
  ) throws(CompileError) -> [Int]? {
    let spatial = weight[2...].compactMap(\.fixedExtent)
    guard let declared = try call.optionalInts("kernel_shape") else {
      return spatial.count == weight.count - 2 ? spatial : nil
    }
    if spatial.count == weight.count - 2, spatial != declared {
      throw call.malformed("kernel_shape \(declared) is not that of W, \(spatial)")
    }
    return declared
  }
}
