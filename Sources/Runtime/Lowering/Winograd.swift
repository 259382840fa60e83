import CPrunecKernels
import PrunecGraphIR
import PrunecTensors

/// Convolutions of 3 x 3 taps by Winograd's F(2 x 2, 3 x 3): Lavin and Gray, Fast Algorithms for Convolutional Neural
/// Networks, 2015, section 4.1. Tiles of 2 x 2 outputs take 16 multiplications for a channel instead of 36: the tiles
/// are transformed, 16 matrix products sum over the channels, and what they give is transformed back.
///
/// Each sum has a ninth of the terms, which makes up for what the transforms round: the largest error on layers of
/// networks is 0.3 to 1.1 times that of the plain sum. Larger tiles would take fewer multiplications, and lose digits.
extension Planner {
  /// The side of a tile's outputs, and how many numbers it is transformed to.
  private static let tileSide = 2
  private static let partCount = 16
  /// Fewer channels do not make up for the transforms.
  private static let fewChannels = 32
  /// Fewer tiles do not make up for the weights, which are 16/9 times as many.
  private static let fewTiles = 36
  /// How much of the second-level cache the transformed tiles of one thread may take, in bytes.
  private static let bandSize = 3 << 19

  func usesWinograd(_ plane: Plane, batch: Int, channels: Int, filters: Int) -> Bool {
    plane.kernel == [3, 3] && plane.strides == [1, 1] && plane.dilations == [1, 1]
      && min(channels, filters) >= Self.fewChannels
      && batch * Self.tiles(plane.output[0]) * Self.tiles(plane.output[1]) >= Self.fewTiles
  }

  private static func tiles(_ extent: Int) -> Int { (extent + tileSide - 1) / tileSide }

  mutating func addWinograd(
    _ id: NodeID, _ plane: Plane, _ x: View, _ weight: ValueID, _ epilogue: Epilogue, _ y: View
  ) {
    let (filters, channels) = (shape(of: weight)[0], shape(of: weight)[1])
    let source = channelsLast(x, for: id)
    let packed = transformedWeights(id, weight, epilogue)
    let columns = Self.tiles(plane.output[1])
    let rows = Self.tiles(plane.output[0])
    let total = x.shape[0] * rows
    let bands = bands(total, lineSize: 4 * Self.partCount * columns * (channels + filters), columns)
    let most = bands.map(\.count).max()!
    let tiles = newView(.float32, [Self.partCount * most * columns * channels])
    let sums = newView(.float32, [Self.partCount * most * columns * filters])
    for band in bands {
      addTransform(id, plane, source, tiles, band, rows: rows, columns: columns)
      addProducts(
        id, packed, tiles, sums, lines: band.count, columns: columns, channels: channels,
        filters: filters)
      addTransform(
        id, plane, sums, packed, epilogue, y, band, rows: rows, columns: columns)
    }
  }

  /// Lines of tiles that stay in the cache from one transform to the other. Threads have as many each where that is
  /// possible.
  private func bands(_ total: Int, lineSize: Int, _ columns: Int) -> [Range<Int>] {
    let fitting = max(
      Self.bandSize * threadCount / lineSize, (Self.fewTiles + columns - 1) / columns)
    let even = max(fitting / threadCount, 1) * threadCount
    let count = (total + even - 1) / even
    let shares = (total + threadCount - 1) / threadCount
    return (0..<count).map { band in
      min(
        total, shares * band / count * threadCount)..<min(
          total, shares * (band + 1) / count * threadCount)
    }.filter { !$0.isEmpty }
  }

  /// `G g G^T` of each filter's taps g for each channel, times the filter's factor.
  private func transformedWeights(
    _ id: NodeID, _ weight: ValueID, _ epilogue: Epilogue
  ) -> PackedWeights {
    let (filters, channels) = (shape(of: weight)[0], shape(of: weight)[1])
    var packing = Self.packing(groups: Self.partCount, filters: filters, channels: channels)
    (packing.kernel_height, packing.kernel_width) = (1, 1)
    (packing.kernel_row, packing.kernel_column) = (1, 1)
    (packing.output, packing.input) = (channels, 1)
    packing.w_group = filters * channels
    return weights.packed(
      .init(node: id, part: -1), count: Kernels.packedCount(packing),
      hasBiases: epilogue.biases != nil
    ) { [packing] (cache) throws(CompileError) in
      let weight = try cache.tensor(weight)
      let contents = PackedWeights.Contents(
        packing, Self.transformed(weight.floats, filters, channels, epilogue.factors),
        factors: nil, biases: epilogue.biases)
      weight.giveBack()
      return contents
    }
  }

  private static func transformed(
    _ taps: [Float], _ filters: Int, _ channels: Int, _ factors: [Float]?
  ) -> [Float] {
    func lines(_ a: Double, _ b: Double, _ c: Double) -> (Double, Double, Double, Double) {
      (a, (a + b + c) / 2, (a - b + c) / 2, c)
    }
    let count = filters * channels
    return [Float](unsafeUninitializedCapacity: partCount * count) { parts, initialized in
      taps.withUnsafeBufferPointer { taps in
        for place in 0..<count {
          let factor = Double(factors?[place / channels] ?? 1)
          func tap(_ index: Int) -> Double { Double(taps[9 * place + index]) * factor }
          let left = lines(tap(0), tap(3), tap(6))
          let middle = lines(tap(1), tap(4), tap(7))
          let right = lines(tap(2), tap(5), tap(8))
          func store(_ row: Int, _ a: Double, _ b: Double, _ c: Double) {
            let line = lines(a, b, c)
            parts[(4 * row) * count + place] = Float(line.0)
            parts[(4 * row + 1) * count + place] = Float(line.1)
            parts[(4 * row + 2) * count + place] = Float(line.2)
            parts[(4 * row + 3) * count + place] = Float(line.3)
          }
          store(0, left.0, middle.0, right.0)
          store(1, left.1, middle.1, right.1)
          store(2, left.2, middle.2, right.2)
          store(3, left.3, middle.3, right.3)
        }
      }
      initialized = partCount * count
    }
  }

  // MARK: Steps

  private mutating func addTransform(
    _ id: NodeID, _ plane: Plane, _ x: View, _ tiles: View, _ band: Range<Int>, rows: Int,
    columns: Int
  ) {
    let from = Planar(x)
    var transform = prunec_winograd_input()
    transform.channels = x.shape[1]
    (transform.in_height, transform.in_width) = (plane.input[0], plane.input[1])
    (transform.pad_top, transform.pad_left) = (plane.before[0], plane.before[1])
    (transform.x_batch, transform.x_row, transform.x_pixel) = (from.batch, from.row, from.pixel)
    (transform.tile_rows, transform.tile_columns) = (rows, columns)
    (transform.first_line, transform.lines) = (band.lowerBound, band.count)
    let arguments = transform
    steps.append(
      Step([id], "winograd input", reads: [x.buffer], writes: [tiles.buffer]) { memory in
        var transform = arguments
        transform.x = UnsafePointer(memory.floats(x))
        transform.v = memory.floats(tiles)
        return .kernel(
          KernelCall(
            transform, units: Kernels.table.pointee.winograd_input_units,
            Kernels.table.pointee.winograd_input))
      })
  }

  /// For each of the 16 numbers of a tile, a product over the channels. Each thread's tiles are those that it
  /// transforms.
  private mutating func addProducts(
    _ id: NodeID, _ packed: PackedWeights, _ tiles: View, _ sums: View, lines: Int, columns: Int,
    channels: Int, filters: Int
  ) {
    let count = lines * columns
    var product = prunec_product(inChannels: channels, outChannels: filters)
    product.batch = lines % threadCount == 0 ? threadCount : 1
    product.groups = Self.partCount
    product.in_width = count / product.batch
    product.out_width = product.in_width
    (product.x_pixel, product.y_pixel) = (channels, filters)
    (product.x_row, product.y_row) = (product.in_width * channels, product.in_width * filters)
    (product.x_batch, product.y_batch) = (product.x_row, product.y_row)
    (product.x_group, product.y_group) = (count * channels, count * filters)
    product.weights_group = Kernels.table.pointee.packed_size(filters, channels, 1)
    addProduct(
      [id], "winograd product", product, x: tiles,
      weights: .constant(packed, hasBiases: false),
      epilogue: Epilogue(output: graph[id].outputs[0]!), addend: nil, y: sums)
  }

  private mutating func addTransform(
    _ id: NodeID, _ plane: Plane, _ sums: View, _ packed: PackedWeights, _ epilogue: Epilogue,
    _ y: View, _ band: Range<Int>, rows: Int, columns: Int
  ) {
    let to = Planar(y)
    var transform = prunec_winograd_output()
    transform.channels = y.shape[1]
    (transform.out_height, transform.out_width) = (plane.output[0], plane.output[1])
    (transform.tile_rows, transform.tile_columns) = (rows, columns)
    (transform.first_line, transform.lines) = (band.lowerBound, band.count)
    (transform.y_batch, transform.y_row, transform.y_pixel) = (to.batch, to.row, to.pixel)
    transform.activation = prunec_activation(epilogue.activation)
    transform.adds_last = epilogue.addsLast
    let addend = addendView(epilogue)
    if let addend {
      let planar = Planar(addend)
      transform.addend_batch = planar.batch
      transform.addend_row = planar.row
      transform.addend_pixel = planar.pixel
    }
    let arguments = transform
    steps.append(
      Step(
        [id] + epilogue.nodes, "winograd output",
        reads: [sums.buffer] + (addend.map { [$0.buffer] } ?? []), writes: [y.buffer]
      ) { (memory) throws(CompileError) in
        var transform = arguments
        transform.sums = UnsafePointer(memory.floats(sums))
        transform.bias = try memory.contents(of: packed).biases?.floats
        transform.addend = addend.map { UnsafePointer(memory.floats($0)) }
        transform.y = memory.floats(y)
        return .kernel(
          KernelCall(
            transform, units: Kernels.table.pointee.winograd_output_units,
            Kernels.table.pointee.winograd_output))
      })
  }
}
