import CPrunecKernels
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// Convolutions over one or two spatial axes, and their transposes; those over three are in `Volumes`.
extension Planner {
  /// The geometry of a convolution with two spatial axes; one axis counts as the row of an image of one row.
  struct Plane {
    var kernel, strides, dilations: [Int]
    var before: [Int]
    var input, output: [Int]

    /// How many pixels along an axis the convolution reads, padding included.
    func reach(_ axis: Int) -> Int {
      let first = (output[axis] - 1) * strides[axis]
      return first + (kernel[axis] - 1) * dilations[axis] + 1
    }
  }

  /// A transposed convolution of more steps is left to the reference: strides in a small file can be any numbers.
  private static let phaseLimit = 1 << 13

  mutating func lowerConvolution(
    _ id: NodeID, _ convolution: ConvolutionComputation
  ) throws(CompileError) -> Bool {
    let inputs = graph[id].inputs
    guard let output = graph[id].outputs[0], let weight = inputs[1], facts.isFixed(weight),
      (1...3).contains(convolution.kernel.count), let x = try view(of: inputs[0]!),
      let biases = try fixedNumbers(id, operand: 2)
    else { return false }
    if convolution.kernel.count == 3 {
      return try lowerVolumeConvolution(id, convolution, x, weight, output, biases)
    }
    let isFlat = convolution.kernel.count == 1
    func two(_ numbers: [Int], _ filler: Int) -> [Int] { isFlat ? [filler] + numbers : numbers }
    let plane = Plane(
      kernel: two(convolution.kernel, 1), strides: two(convolution.strides, 1),
      dilations: two(convolution.dilations, 1), before: two(convolution.padding.map(\.before), 0),
      input: two(Array(x.shape[2...]), 1), output: two(Array(shape(of: output)[2...]), 1))
    if convolution.isTransposed {
      guard plane.dilations == [1, 1], zip(plane.kernel, plane.strides).allSatisfy({ $0 >= $1 }),
        plane.strides.elementCount <= Self.phaseLimit
      else { return false }
    }
    var epilogue = try epilogue(of: output, channelAxis: 1, biases: biases)
    if convolution.activation != .identity {
      epilogue = Epilogue(output: output, biases: biases, activation: convolution.activation)
    }
    let shape = shape(of: output)
    let order = [0] + Array(2..<shape.count) + [1]
    let y = result(epilogue.output, order: order)
    absorbed.formUnion(epilogue.nodes)
    if convolution.isTransposed {
      try addTransposed(id, convolution.groups, plane, x, weight, epilogue, y)
    } else if convolution.groups == x.shape[1], convolution.groups == shape[1], x.shape[1] > 1 {
      try addDepthwise(id, plane, x, weight, epilogue, y)
    } else if convolution.groups == 1, !exactSums.contains(id),
      usesWinograd(plane, batch: x.shape[0], channels: x.shape[1], filters: shape[1])
    {
      addWinograd(id, plane, x, weight, epilogue, y)
    } else {
      try addConvolution(id, convolution.groups, plane, x, weight, epilogue, y)
    }
    return true
  }

  // MARK: Dense and grouped

  private mutating func addConvolution(
    _ id: NodeID, _ groups: Int, _ plane: Plane, _ x: View, _ weight: ValueID, _ epilogue: Epilogue,
    _ y: View
  ) throws(CompileError) {
    let channels = shape(of: weight)[1]
    let filters = shape(of: weight)[0] / groups
    var packing = Self.packing(groups: groups, filters: filters, channels: channels)
    let taps = plane.kernel.elementCount
    packing.output = channels * taps
    packing.input = taps
    packing.kernel_row = plane.kernel[1]
    packing.kernel_column = 1
    packing.w_group = filters * packing.output
    packing.kernel_height = plane.kernel[0]
    packing.kernel_width = plane.kernel[1]
    let packed = weights.packed(
      .init(node: id, part: 0), packing, of: weight, factors: epilogue.factors,
      biases: epilogue.biases)
    var plane = plane
    var source = x
    if mergesRows(plane, batch: x.shape[0], channels: channels, groups) {
      source = try padded(id, x, &plane)
    } else {
      source = channelsLast(x, for: id)
    }
    var product = Self.product(plane, groups, channels, filters, source, y)
    let addend = addendView(epilogue)
    if let addend { Self.fillAddend(&product, Planar(addend)) }
    addProduct(
      [id] + epilogue.nodes, "convolution", product, x: source, weights: .constant(packed),
      epilogue: epilogue, addend: addend, y: y,
      zeros: plane.before == [0, 0] && Self.isInside(plane) ? nil : zeros(channels))
  }

  /// Whether few channels make short runs of elements, so that it pays to put a row of taps into one.
  private func mergesRows(_ plane: Plane, batch: Int, channels: Int, _ groups: Int) -> Bool {
    let pixels = [batch, plane.reach(0), plane.reach(1), channels].checkedElementCount ?? .max
    return groups == 1 && channels <= 4 && plane.kernel[1] > 1 && plane.dilations[1] == 1
      && pixels < 1 << 30
  }

  /// A copy of an image with channels last and the zeros around it that a convolution reads.
  private mutating func padded(
    _ id: NodeID, _ x: View, _ plane: inout Plane
  ) throws(CompileError) -> View {
    let extents = [plane.reach(0), plane.reach(1)]
    let isFlat = x.shape.count == 3
    var shape = Array(x.shape[..<2]) + (isFlat ? [extents[1]] : extents)
    let order = [0] + Array(2..<shape.count) + [1]
    let before = isFlat ? [plane.before[1]] : plane.before
    let image = newView(.float32, shape, order: order)
    var source = x
    var start = [Int](repeating: 0, count: shape.count)
    for axis in 2..<shape.count {
      // Negative padding takes rows away.
      let hidden = max(0, -before[axis - 2])
      start[axis] = max(0, before[axis - 2])
      source.offset += hidden * source.strides[axis]
      source.shape[axis] = max(0, min(x.shape[axis] - hidden, shape[axis] - start[axis]))
    }
    addCopy(id, from: source, into: image, at: start, around: 0)
    shape = image.shape
    plane.input = isFlat ? [1, shape[2]] : [shape[2], shape[3]]
    plane.before = [0, 0]
    return image
  }

  /// Whether no tap lies beyond the end of the image.
  static func isInside(_ plane: Plane) -> Bool {
    (0..<2).allSatisfy { plane.reach($0) - plane.before[$0] <= plane.input[$0] }
  }

  // MARK: Depthwise

  private mutating func addDepthwise(
    _ id: NodeID, _ plane: Plane, _ x: View, _ weight: ValueID, _ epilogue: Epilogue, _ y: View
  ) throws(CompileError) {
    let channels = x.shape[1]
    let taps = plane.kernel.elementCount
    let packed = weights.packed(
      .init(node: id, part: 0), count: taps * channels, hasBiases: epilogue.biases != nil
    ) { (cache) throws(CompileError) in
      let elements = try cache.tensor(weight).floats
      var arranged = [Float](repeating: 0, count: elements.count)
      for channel in 0..<channels {
        let factor = epilogue.factors?[channel] ?? 1
        for tap in 0..<taps {
          arranged[tap * channels + channel] = elements[channel * taps + tap] * factor
        }
      }
      return PackedWeights.Contents(
        weights: PackedWeights.storage(arranged), biases: epilogue.biases.map(PackedWeights.storage)
      )
    }
    let source = channelsLast(x, for: id)
    let (from, to) = (Planar(source), Planar(y))
    var depthwise = prunec_depthwise()
    depthwise.batch = x.shape[0]
    depthwise.channels = channels
    (depthwise.in_height, depthwise.in_width) = (plane.input[0], plane.input[1])
    (depthwise.out_height, depthwise.out_width) = (plane.output[0], plane.output[1])
    (depthwise.kernel_height, depthwise.kernel_width) = (plane.kernel[0], plane.kernel[1])
    (depthwise.stride_height, depthwise.stride_width) = (plane.strides[0], plane.strides[1])
    (depthwise.dilation_height, depthwise.dilation_width) = (plane.dilations[0], plane.dilations[1])
    (depthwise.pad_top, depthwise.pad_left) = (plane.before[0], plane.before[1])
    (depthwise.x_batch, depthwise.x_row, depthwise.x_pixel) = (from.batch, from.row, from.pixel)
    (depthwise.y_batch, depthwise.y_row, depthwise.y_pixel) = (to.batch, to.row, to.pixel)
    depthwise.activation = prunec_activation(epilogue.activation)
    depthwise.adds_last = epilogue.addsLast
    depthwise.bands = threadCount
    let addend = addendView(epilogue)
    if let addend {
      let planar = Planar(addend)
      depthwise.addend_batch = planar.batch
      depthwise.addend_row = planar.row
      depthwise.addend_pixel = planar.pixel
    }
    let arguments = depthwise
    steps.append(
      Step(
        [id] + epilogue.nodes, "depthwise",
        reads: [source.buffer] + (addend.map { [$0.buffer] } ?? []), writes: [y.buffer],
        operations: 2 * y.shape.elementCount * taps
      ) { (memory) throws(CompileError) in
        var depthwise = arguments
        depthwise.x = UnsafePointer(memory.floats(source))
        depthwise.y = memory.floats(y)
        depthwise.addend = addend.map { UnsafePointer(memory.floats($0)) }
        let contents = try memory.contents(of: packed)
        depthwise.weights = contents.weights.floats
        depthwise.bias = contents.biases?.floats
        return .kernel(
          KernelCall(
            depthwise, units: Kernels.table.pointee.depthwise_units,
            Kernels.table.pointee.depthwise))
      })
  }

  // MARK: Transposed

  /// The transpose of a convolution with strides is a convolution for each place within a stride, with those of the
  /// taps that reach the place, in reverse.
  private mutating func addTransposed(
    _ id: NodeID, _ groups: Int, _ plane: Plane, _ x: View, _ weight: ValueID, _ epilogue: Epilogue,
    _ y: View
  ) throws(CompileError) {
    let channels = shape(of: weight)[0] / groups
    let filters = shape(of: weight)[1]
    let taps = plane.kernel.elementCount
    let source = channelsLast(x, for: id)
    let addend = addendView(epilogue)
    let border = zeros(channels)
    var part = 0
    for rowPhase in 0..<plane.strides[0] {
      for columnPhase in 0..<plane.strides[1] {
        let rows = Phase(plane, 0, rowPhase)
        let columns = Phase(plane, 1, columnPhase)
        defer { part += 1 }
        guard rows.count > 0, columns.count > 0 else { continue }
        var packing = Self.packing(groups: groups, filters: filters, channels: channels)
        packing.output = taps
        packing.input = filters * taps
        packing.w_group = channels * filters * taps
        packing.kernel_height = rows.taps
        packing.kernel_width = columns.taps
        packing.kernel_row = -plane.strides[0] * plane.kernel[1]
        packing.kernel_column = -plane.strides[1]
        let first = rows.lastTap * plane.kernel[1] + columns.lastTap
        let packed = weights.packed(
          .init(node: id, part: part), packing, of: weight, offset: first,
          factors: epilogue.factors, biases: epilogue.biases)
        let phase = Plane(
          kernel: [rows.taps, columns.taps], strides: [1, 1], dilations: [1, 1],
          before: [rows.before, columns.before], input: plane.input,
          output: [rows.count, columns.count])
        let target = Self.phase(of: y, rows, columns, plane.strides)
        var product = Self.product(phase, groups, channels, filters, source, target)
        let addendPart = addend.map { Self.phase(of: $0, rows, columns, plane.strides) }
        if let addendPart { Self.fillAddend(&product, Planar(addendPart)) }
        addProduct(
          [id] + epilogue.nodes, "transposed convolution", product, x: source,
          weights: .constant(packed),
          epilogue: epilogue, addend: addendPart, y: target, zeros: border)
      }
    }
  }

  /// Along one axis, the outputs at every so many places and the taps that reach them.
  private struct Phase {
    /// The first output, and how many there are.
    var first, count: Int
    /// How many taps there are, and which is the last: the convolution's first.
    var taps, lastTap: Int
    /// How far before the first output's input the convolution begins.
    var before: Int

    init(_ plane: Plane, _ axis: Int, _ phase: Int) {
      let (stride, pad) = (plane.strides[axis], plane.before[axis])
      first = ((phase - pad) % stride + stride) % stride
      count = max(0, (plane.output[axis] - first + stride - 1) / stride)
      taps = (plane.kernel[axis] - phase + stride - 1) / stride
      lastTap = phase + stride * (taps - 1)
      before = taps - 1 - (first + pad - phase) / stride
    }
  }

  private static func phase(of view: View, _ rows: Phase, _ columns: Phase, _ strides: [Int])
    -> View
  {
    var part = view
    let phases = view.shape.count == 3 ? [columns] : [rows, columns]
    for (index, phase) in phases.enumerated() {
      let axis = index + 2
      part.offset += phase.first * view.strides[axis]
      part.strides[axis] *= strides[index + 4 - view.shape.count]
      part.shape[axis] = phase.count
    }
    return part
  }

  // MARK: Arguments

  static func packing(
    groups: Int, filters: Int, channels: Int
  ) -> prunec_packing {
    var packing = prunec_packing()
    packing.batch = 1
    packing.groups = groups
    packing.out_channels = filters
    packing.in_channels = channels
    packing.scale = 1
    return packing
  }

  static func product(
    _ plane: Plane, _ groups: Int, _ channels: Int, _ filters: Int, _ x: View, _ y: View
  ) -> prunec_product {
    let (from, to) = (Planar(x), Planar(y))
    var product = prunec_product()
    product.batch = x.shape[0]
    product.groups = groups
    product.in_channels = channels
    product.out_channels = filters
    (product.in_height, product.in_width) = (plane.input[0], plane.input[1])
    (product.out_height, product.out_width) = (plane.output[0], plane.output[1])
    (product.kernel_height, product.kernel_width) = (plane.kernel[0], plane.kernel[1])
    (product.stride_height, product.stride_width) = (plane.strides[0], plane.strides[1])
    (product.dilation_height, product.dilation_width) = (plane.dilations[0], plane.dilations[1])
    (product.pad_top, product.pad_left) = (plane.before[0], plane.before[1])
    (product.x_batch, product.x_row, product.x_pixel) = (from.batch, from.row, from.pixel)
    (product.y_batch, product.y_row, product.y_pixel) = (to.batch, to.row, to.pixel)
    (product.x_group, product.y_group) = (channels, filters)
    product.weights_group = Kernels.table.pointee.packed_size(
      filters, channels, plane.kernel.elementCount)
    return product
  }

  static func fillAddend(_ product: inout prunec_product, _ planar: Planar) {
    product.addend_batch = planar.batch
    product.addend_row = planar.row
    product.addend_pixel = planar.pixel
    product.addend_group = product.out_channels
  }
}

/// The strides of an image whose channels are adjacent.
struct Planar {
  let batch, row, pixel: Int

  init(_ view: View) {
    precondition(view.strides[1] == 1 || view.shape[1] == 1, "channels are not adjacent")
    batch = view.strides[0]
    pixel = view.strides[view.shape.count - 1]
    row = view.shape.count == 3 ? 0 : view.strides[2]
  }
}

extension Planner {
  /// The view, or a copy of it, with adjacent channels (axis 1).
  mutating func channelsLast(_ view: View, for id: NodeID) -> View {
    if view.strides[1] == 1 || view.shape[1] == 1 { return view }
    return dense(view, order: [0] + Array(2..<view.shape.count) + [1], for: id)
  }
}
