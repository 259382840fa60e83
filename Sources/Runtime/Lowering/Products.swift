import CKernels

/// What convolutions and matrix products have in common: one kernel.
extension Planner {
  /// How much of the second-level cache a block of pixels may take, in bytes.
  private static let blockSize = 1 << 19
  /// How much of it the weights that meet them may take: twice as much in fact, with those that come next.
  private static let stageSize = 400 << 10
  /// Every tile of the kernels, on any processor, divides this number of pixels.
  private static let tile = 24

  /// How many pixels a unit of work takes: their inputs stay in the cache while the weights pass, and there are
  /// units for all threads.
  func pixelBlock(_ product: prunec_product) -> Int {
    let pixels = product.out_height * product.out_width
    let bytes =
      4 * product.in_channels * min(product.stride_height, product.kernel_height)
      * min(product.stride_width, product.kernel_width)
    var block = min(pixels, max(Self.tile, Self.blockSize / max(bytes, 1)))
    let panels =
      (product.out_channels + 63) / 64 * product.batch * product.groups
    while threadCount > 1, block > 2 * Self.tile,
      panels * ((pixels + block - 1) / block) < 4 * threadCount
    {
      block = (block / 2 + Self.tile - 1) / Self.tile * Self.tile
    }
    return max(1, block)
  }

  /// Where the packed weights of a product are.
  enum Weights {
    case constant(PackedWeights)
    /// Packed by an earlier step.
    case view(View, biases: TensorStorage?)
  }

  /// Adds a product, given all of its numbers but the addresses.
  mutating func addProduct(
    _ nodes: [NodeID], _ kernel: String, _ product: prunec_product, x: View, weights: Weights,
    epilogue: Epilogue, addend: View?, y: View, zeros: View? = nil
  ) {
    var product = product
    product.activation = prunec_activation(epilogue.activation)
    product.adds_last = epilogue.addsLast
    product.pixel_block = pixelBlock(product)
    product.stage_size = Self.stageSize
    let arguments = product
    var reads = [x.buffer] + [addend, zeros].compactMap { $0?.buffer }
    if case .view(let view, _) = weights { reads.append(view.buffer) }
    var step = Step(
      nodes, kernel, reads: reads, writes: [y.buffer], operations: product.operations
    ) { memory in
      var product = arguments
      product.x = UnsafePointer(memory.floats(x))
      product.y = memory.floats(y)
      product.addend = addend.map { UnsafePointer(memory.floats($0)) }
      product.zeros = zeros.map { UnsafePointer(memory.floats($0)) }
      switch weights {
      case .constant(let packed):
        product.weights = packed.weights.floats
        product.bias = packed.biases?.floats
      case .view(let view, let biases):
        product.weights = UnsafePointer(memory.floats(view))
        product.bias = biases?.floats
      }
      return .kernel(
        KernelCall(
          product, units: Kernels.table.pointee.product_units, Kernels.table.pointee.product))
    }
    if let addend, !epilogue.addsLast, addend.strides == y.strides {
      step.replaceable = [(addend, y)]
    }
    steps.append(step)
  }

  /// Zeros for what lies outside of an image.
  mutating func zeros(_ count: Int) -> View {
    newConstant(Tensor(zeros: .float32, shape: [count + 64]))
  }

  /// The view of the addend that an epilogue has taken in.
  func addendView(_ epilogue: Epilogue) -> View? {
    guard let addend = epilogue.addend, case .view(let view)? = places[addend] else { return nil }
    return view
  }

  /// The fixed numbers of an optional operand.
  func fixedNumbers(_ id: NodeID, operand: Int) throws(CompileError) -> [Float]?? {
    guard operand < graph[id].inputs.count, let value = graph[id].inputs[operand] else {
      return .some(nil)
    }
    guard facts.isFixed(value) else { return nil }
    return try .some(weights.tensor(value).floats)
  }
}

extension TensorStorage {
  var floats: UnsafePointer<Float> { bytes.bindMemory(to: Float.self).baseAddress! }
}

extension prunec_product {
  /// Multiplications and additions.
  var operations: Int {
    2 * batch * groups * out_height * out_width * out_channels * in_channels * kernel_height
      * kernel_width
  }
}
