import CPrunecKernels
import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Poolings over up to three spatial axes.
extension Planner {
  /// Kernels may be far larger than what they are moved over: no pooling has more taps, inside and outside.
  private static let tapLimit = 1 << 40

  mutating func lowerPooling(
    _ id: NodeID, _ pooling: PoolingComputation
  ) throws(CompileError) -> Bool {
    guard (1...3).contains(pooling.kernel.count), let operand = try operandViews(id)?[0],
      let output = graph[id].outputs[0],
      pooling.kernel.count < 3 || operand.shape[0] <= Self.volumeStepLimit,
      let taps = ([shape(of: output).elementCount] + pooling.kernel).checkedElementCount,
      taps <= Self.tapLimit
    else { return false }
    let x = channelsLast(operand, for: id)
    let y = result(output, order: [0] + Array(2..<x.shape.count) + [1])
    guard pooling.kernel.count == 3 else {
      addPooling(id, pooling, x, y)
      return true
    }
    return addVolumePooling(id, pooling, x, y)
  }

  /// Adds a pooling over one or two axes.
  mutating func addPooling(
    _ id: NodeID, _ pooling: PoolingComputation, _ x: View, _ y: View
  ) {
    let isFlat = pooling.kernel.count == 1
    func two(_ numbers: [Int], _ filler: Int) -> [Int] { isFlat ? [filler] + numbers : numbers }
    let (from, to) = (Planar(x), Planar(y))
    let (input, outputs) = (two(Array(x.shape[2...]), 1), two(Array(y.shape[2...]), 1))
    let (kernel, strides) = (two(pooling.kernel, 1), two(pooling.strides, 1))
    let dilations = two(pooling.dilations, 1)
    let (before, after) = (
      two(pooling.padding.map(\.before), 0), two(pooling.padding.map(\.after), 0)
    )
    var arguments = prunec_pooling()
    arguments.kind =
      switch pooling.kind {
      case .maximum: prunec_pool_maximum
      case .average(let countsPadding):
        countsPadding ? prunec_pool_average_with_pads : prunec_pool_average
      }
    (arguments.batch, arguments.channels) = (x.shape[0], x.shape[1])
    (arguments.in_height, arguments.in_width) = (input[0], input[1])
    (arguments.out_height, arguments.out_width) = (outputs[0], outputs[1])
    (arguments.kernel_height, arguments.kernel_width) = (kernel[0], kernel[1])
    (arguments.stride_height, arguments.stride_width) = (strides[0], strides[1])
    (arguments.dilation_height, arguments.dilation_width) = (dilations[0], dilations[1])
    (arguments.pad_top, arguments.pad_left) = (before[0], before[1])
    (arguments.pad_bottom, arguments.pad_right) = (after[0], after[1])
    (arguments.x_batch, arguments.x_row, arguments.x_pixel) = (from.batch, from.row, from.pixel)
    (arguments.y_batch, arguments.y_row, arguments.y_pixel) = (to.batch, to.row, to.pixel)
    let form = arguments
    steps.append(
      Step(
        [id], "pooling", reads: [x.buffer], writes: [y.buffer],
        operations: y.shape.elementCount * kernel.elementCount
      ) { memory in
        var arguments = form
        arguments.x = UnsafePointer(memory.floats(x))
        arguments.y = memory.floats(y)
        return .kernel(
          KernelCall(
            arguments, units: Kernels.table.pointee.pooling_units, Kernels.table.pointee.pooling))
      })
  }

  /// A pooling of volumes is one of their images, and then one along the axis between these: maxima and
  /// means of windows, and how many elements they are of, come apart so.
  private mutating func addVolumePooling(
    _ id: NodeID, _ pooling: PoolingComputation, _ x: View, _ y: View
  ) -> Bool {
    let (depth, channels) = (x.shape[2], x.shape[1])
    let extents = [y.shape[3], y.shape[4]]
    guard let count = ([depth, channels] + extents).checkedElementCount, count <= View.elementLimit
    else { return false }
    // The images of one item, and the same with their pixels in one row.
    let images = newView(.float32, [depth, channels] + extents, order: [0, 2, 3, 1])
    var rows = View(
      buffer: images.buffer, type: .float32, shape: [1, channels, depth, extents.elementCount],
      order: [0, 2, 3, 1])
    rows.offset = images.offset
    var targets: [View] = []
    for item in 0..<y.shape[0] {
      let target = y.volume(item).applying(.permute([1, 0, 2, 3]))!
      let shape = [1, channels, y.shape[2], extents.elementCount]
      guard let target = target.applying(.reshape(shape)) else { return false }
      targets.append(target)
    }
    for (item, target) in targets.enumerated() {
      addPooling(id, pooling.ofImages, x.volume(item), images)
      addPooling(id, pooling.betweenImages, rows, target)
    }
    return true
  }
}

extension PoolingComputation {
  /// The pooling along the last two of three axes.
  fileprivate var ofImages: PoolingComputation {
    var part = self
    part.kernel.removeFirst()
    part.strides.removeFirst()
    part.dilations.removeFirst()
    part.padding.removeFirst()
    return part
  }

  /// The pooling along the first of three axes, with an axis of pixels that stay apart.
  fileprivate var betweenImages: PoolingComputation {
    var part = self
    part.kernel = [kernel[0], 1]
    part.strides = [strides[0], 1]
    part.dilations = [dilations[0], 1]
    part.padding = [padding[0], (0, 0)]
    return part
  }
}

extension View {
  /// Item `index` of `[N, C, D, H, W]` as the images `[D, C, H, W]`.
  func volume(_ index: Int) -> View {
    var view = self
    view.offset += index * strides[0]
    view.shape = [2, 1, 3, 4].map { shape[$0] }
    view.strides = [2, 1, 3, 4].map { strides[$0] }
    return view
  }
}
