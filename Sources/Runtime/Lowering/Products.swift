import CPrunecKernels
import PrunecGraphIR
import PrunecSemantics
import PrunecTensors

/// What convolutions and matrix products have in common: one kernel.
extension Planner {
  /// How much of the second-level cache a block of pixels may take, in bytes: its inputs where weights are
  /// many, and else its outputs too.
  private static let blockSize = (light: 1 << 18, heavy: 1 << 19)
  /// What weights may take of it to be few, in bytes.
  private static let lightSize = 1 << 18
  /// How much of it the weights that meet them may take: twice as much in fact, with those that come next.
  private static let stageSize = 400 << 10
  /// More weights than these do not stay in the cache, in bytes.
  private static let streamedSize = 1 << 20
  /// How many pixels a block has at least: more where each thread that goes through all weights has to bring
  /// them into its cache.
  private static let fewPixels = (resident: 12, streamed: 48)
  /// How many units of work each thread should have, so that one which is held up hands some over.
  private static let unitsOfThread = 4

  /// How many pixels a unit of work takes: their inputs stay in the cache while the weights pass, and threads
  /// have blocks of their own, so that they find in their caches what they wrote there before.
  func pixelBlock(_ product: prunec_product) -> Int {
    let pixels = product.out_height * product.out_width
    let items = product.batch * product.groups
    guard pixels > 0, items > 0 else { return 1 }
    let taps = product.kernel_height * product.kernel_width
    let weights = 4 * product.in_channels * taps * product.out_channels
    let inputs =
      4 * product.in_channels * min(product.stride_height, product.kernel_height)
      * min(product.stride_width, product.kernel_width)
    let (bytes, size) =
      weights > Self.lightSize
      ? (inputs, Self.blockSize.heavy)
      : (inputs + 4 * product.out_channels, Self.blockSize.light)
    let fewPixels =
      weights > Self.streamedSize ? Self.fewPixels.streamed : Self.fewPixels.resident
    let most = max(1, pixels / fewPixels)
    var blocks = Int(min(max(1, Double(pixels) * Double(bytes) / Double(size)), Double(most)))
    if threadCount > 1 {
      let panels = (product.out_channels + 63) / 64 * items
      let units = Self.unitsOfThread * threadCount
      blocks = min(max(blocks, (units + panels - 1) / panels), most)
      let even = (blocks + threadCount - 1) / threadCount * threadCount
      if items == 1, even <= most { blocks = even }
    }
    return max(1, (pixels + blocks - 1) / blocks)
  }

  /// Where the packed weights of a product are.
  enum Weights {
    case constant(PackedWeights, hasBiases: Bool = true)
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
    ) { (memory) throws(CompileError) in
      var product = arguments
      product.x = UnsafePointer(memory.floats(x))
      product.y = memory.floats(y)
      product.addend = addend.map { UnsafePointer(memory.floats($0)) }
      product.zeros = zeros.map { UnsafePointer(memory.floats($0)) }
      switch weights {
      case .constant(let packed, let hasBiases):
        let contents = try memory.contents(of: packed)
        product.weights = contents.weights.floats
        product.bias = hasBiases ? contents.biases?.floats : nil
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
  /// A product of single pixels, one of them, with a matrix.
  init(inChannels: Int, outChannels: Int) {
    self.init()
    (batch, groups) = (1, 1)
    (in_channels, out_channels) = (inChannels, outChannels)
    (in_height, in_width, out_height, out_width) = (1, 1, 1, 1)
    (kernel_height, kernel_width) = (1, 1)
    (stride_height, stride_width) = (1, 1)
    (dilation_height, dilation_width) = (1, 1)
  }

  /// Multiplications and additions; no more than an integer can say.
  var operations: Int {
    let factors = [
      2, batch, groups, out_height, out_width, out_channels, in_channels, kernel_height,
      kernel_width,
    ]
    return factors.checkedElementCount ?? .max
  }
}
