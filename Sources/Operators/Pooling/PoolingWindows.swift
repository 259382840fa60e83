import PrunecGraphIR
import PrunecTensors

/// The windows of a pooling: for each element of an output plane, which elements of the input plane
/// it is computed from. The same for all channels, so it is worked out once.
struct PoolingWindows {
  /// Offsets within the input plane, in row-major order, window after window.
  let offsets: [Int]
  /// Where each window starts in `offsets`, and the end of the last.
  let starts: [Int]
  /// How many kernel positions of each window lie within the input and its padding: less than the
  /// kernel has where rounding up lets the last window reach beyond.
  let paddedCounts: [Double]
  /// Extents of the input and the output plane.
  let (input, output): ([Int], [Int])

  init(_ geometry: ConvolutionGeometry, input: [Int]) {
    struct Window {
      var offsets = [0]
      var paddedCount = 1.0
    }
    var windows = [Window()]
    for axis in input.indices {
      let line = (0..<geometry.output[axis].fixedExtent!).map {
        Self.positions($0, geometry, axis: axis, extent: input[axis])
      }
      windows = windows.flatMap { window in
        line.map { positions in
          Window(
            offsets: window.offsets.flatMap { offset in
              positions.inside.map { offset * input[axis] + $0 }
            }, paddedCount: window.paddedCount * Double(positions.paddedCount))
        }
      }
    }
    self.input = input
    output = geometry.output.map { $0.fixedExtent! }
    paddedCounts = windows.map(\.paddedCount)
    var (offsets, starts): ([Int], [Int]) = ([], [0])
    for window in windows {
      offsets += window.offsets
      starts.append(offsets.count)
    }
    (self.offsets, self.starts) = (offsets, starts)
  }

  /// Along one axis: the input indices under the kernel at output index `index`, and how many of
  /// its positions lie within the padded input. Computed rather than searched for, since a kernel
  /// may reach far beyond its input.
  private static func positions(
    _ index: Int, _ geometry: ConvolutionGeometry, axis: Int, extent: Int
  ) -> (inside: [Int], paddedCount: Int) {
    let dilation = geometry.dilations[axis]
    let start = geometry.inputIndex(index, kernel: 0, axis: axis)
    let first = start < 0 ? (-start + dilation - 1) / dilation : 0
    let end = { (limit: Int) in
      limit <= start ? 0 : min(geometry.kernel[axis], (limit - start - 1) / dilation + 1)
    }
    let inside = (first..<max(first, end(extent))).map { start + $0 * dilation }
    return (inside, end(extent + geometry.padding![axis].after))
  }

  /// Pools `planes` planes: calls `formula` with a plane, the offsets of a window in it and the
  /// window's padded count.
  @inline(__always)
  func pool(
    _ source: [Float], planes: Int,
    _ formula: (UnsafePointer<Float>, UnsafeBufferPointer<Int>, Double) -> Float
  ) -> [Float] {
    let (inputCount, outputCount) = (input.elementCount, paddedCounts.count)
    return [Float](unsafeUninitializedCapacity: planes * outputCount) { target, count in
      count = planes * outputCount
      guard inputCount > 0 else {
        target.initialize(repeating: 0)
        return
      }
      source.withUnsafeBufferPointer { source in
        offsets.withUnsafeBufferPointer { offsets in
          for plane in 0..<planes {
            let base = source.baseAddress! + plane * inputCount
            for window in 0..<outputCount {
              let range = starts[window]..<starts[window + 1]
              target.initializeElement(
                at: plane * outputCount + window,
                to: formula(
                  base, UnsafeBufferPointer(rebasing: offsets[range]), paddedCounts[window]))
            }
          }
        }
      }
    }
  }
}

/// What the pooling operators over windows have in common: `X [N, C, D1 ... Dn]`,
/// `Y [N, C, E1 ... En]`.
enum Pooling {
  /// The attributes of all of them.
  static let attributes: [String: Attribute.Value?] = [
    "auto_pad": .string(Array("NOTSET".utf8)), "ceil_mode": .int(0), "dilations": nil,
    "kernel_shape": nil, "pads": nil, "strides": nil,
  ]

  /// The shape of Y.
  static func shape(_ call: Invocation) throws(CompileError) -> [Dimension]? {
    guard let input = call.shape(0) else { return nil }
    guard input.count >= 3 else { throw call.malformed("X has \(input.count) axes") }
    return try input[..<2] + geometry(call, input).output
  }

  private static func geometry(
    _ call: Invocation, _ input: [Dimension]
  ) throws(CompileError) -> ConvolutionGeometry {
    guard let kernel = try call.optionalInts("kernel_shape") else {
      throw call.malformed("'kernel_shape' is missing")
    }
    for name in ["dilations", "pads", "strides"] { _ = try call.optionalInts(name) }
    return try ConvolutionGeometry(
      call, kernel: kernel, input: Array(input[2...]),
      roundsUp: call.requiredInt("ceil_mode") == 1)
  }

  /// The windows over a tensor of `shape`.
  static func windows(_ call: Invocation, _ shape: [Int]) throws(CompileError) -> PoolingWindows {
    let geometry = try geometry(call, shape.map { .fixed($0) })
    let positions = (geometry.output.compactMap(\.fixedExtent) + geometry.kernel)
      .checkedElementCount
    // Inputs and outputs of any plausible size are far below; a kernel as large as they are is not.
    guard let positions, positions <= 1 << 27 else {
      throw CompileError(
        .unsupported, "the windows are too many and too large to compute", at: call.location)
    }
    return PoolingWindows(geometry, input: Array(shape[2...]))
  }

  /// Every channel of every image is pooled by itself.
  static func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count, rank >= 2 else { return }
    relations.equal(.operand(0, axis: 0), .result(axis: 0))
    relations.equal(.operand(0, axis: 1), .result(axis: 1))
    for axis in 2..<max(2, rank) {
      relations.pin(.operand(0, axis: axis), because: "it is pooled over")
      relations.pin(.result(axis: axis), because: "it is pooled over")
    }
  }
}

extension Pooling {
  /// What kernels compute; every extent is a number.
  static func computation(
    _ call: Invocation, _ kind: PoolingComputation.Kind
  ) throws(CompileError) -> Computation {
    let geometry = try geometry(call, call.shape(0)!)
    return .pooling(
      PoolingComputation(
        kind: kind, kernel: geometry.kernel, strides: geometry.strides,
        dilations: geometry.dilations, padding: geometry.padding!))
  }
}
