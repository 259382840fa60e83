import Glibc
import PrunecGraphIR
import PrunecTensors

/// GridSample (ONNX opset 16 to 28): `X [N, C, d1 ... dr]` sampled at the places that
/// `grid [N, e1 ... er, r]` gives, last axis first, each from -1 to 1: `Y [N, C, e1 ... er]`. `mode` says
/// how elements are found between those of X, `padding_mode` what lies outside, and `align_corners`
/// whether -1 and 1 are the middle of the outermost elements or their border. Before opset 20 r is 2 and
/// the modes are called bilinear and bicubic.
///
/// Channels: each is sampled by itself.
struct GridSample: DiscontinuousOperator {
  let signature = Signature(
    "GridSample", opsets: 16...28, operands: 2...2,
    attributes: [
      "align_corners": .int(0), "mode": nil, "padding_mode": .string(Array("zeros".utf8)),
    ])

  private enum Padding: String { case zeros, border, reflection }

  private func interpolation(
    _ call: Invocation
  ) throws(CompileError) -> Resampling.Interpolation {
    guard call.has("mode") else { return .linear }
    switch call.string("mode") {
    case "nearest": return .nearest
    case "linear", "bilinear": return .linear
    case "cubic", "bicubic": return .cubic
    default: throw call.malformed("'mode' is none that is known")
    }
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    _ = try interpolation(call)
    let _: Padding = try call.choice("padding_mode")
    _ = try call.requiredInt("align_corners")
    try call.requireFloatingPoint(1)
    guard let x = call.shape(0), let grid = call.shape(1) else { return [ValueFacts(type, nil)] }
    guard x.count >= 3, grid.count == x.count else {
      throw call.malformed("X has \(x.count) axes and the grid \(grid.count)")
    }
    if let count = grid.last!.fixedExtent, count != x.count - 2 {
      throw call.malformed("places of \(count) numbers are given for \(x.count - 2) axes")
    }
    if let a = x[0].fixedExtent, let b = grid[0].fixedExtent, a != b {
      throw call.malformed("there are \(a) images and \(b) grids")
    }
    return [ValueFacts(type, x[..<2] + grid.dropFirst().dropLast())]
  }

  func isDiscontinuous(_ call: Invocation) -> Bool {
    (try? interpolation(call)) == .nearest && call.readsComputedFractions
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks else { return }
    relations.equal(.operand(0, axis: 0), .result(axis: 0))
    relations.equal(.operand(1, axis: 0), .result(axis: 0))
    relations.equal(.operand(0, axis: 1), .result(axis: 1))
    for axis in 2..<(call.shape(0)?.count ?? 2) {
      relations.equal(.operand(1, axis: axis - 1), .result(axis: axis))
      relations.pin(.operand(0, axis: axis), because: "the axis is resampled")
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  /// What goes into one element, along one axis.
  private typealias Taps = [(index: Int, weight: Double)]

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let x = try call.tensor(0, of: operands)
    let type = x.elementType
    guard type.isFloatingPoint else {
      throw call.unsupported("GridSample of \(type.name) is not evaluated")
    }
    if shape.contains(0) { return [x.emptied(shape)] }
    let image = Array(x.shape[2...])
    guard !image.contains(0) else { throw call.malformed("there is nothing to sample") }
    let sampler = Sampler(
      interpolation: try interpolation(call), padding: try call.choice("padding_mode"),
      alignsCorners: try call.requiredInt("align_corners") != 0)
    let grid = try call.tensor(1, of: operands).doubles
    let (source, strides) = (x.doubles, image.rowMajorStrides)
    let (inputCount, outputCount) = (image.elementCount, shape[2...].reduce(1, *))
    var y = [Double](repeating: 0, count: shape.elementCount)
    for n in 0..<shape[0] {
      for place in 0..<outputCount {
        let numbers = grid[((n * outputCount + place) * image.count)...].prefix(image.count)
        var taps: Taps = [(0, 1)]
        for (axis, number) in numbers.reversed().enumerated() {
          let own = sampler.taps(number, extent: image[axis])
          taps = taps.flatMap { tap in
            own.map { (tap.index + $0.index * strides[axis], tap.weight * $0.weight) }
          }
        }
        for c in 0..<shape[1] {
          let plane = (n * shape[1] + c) * inputCount
          y[(n * shape[1] + c) * outputCount + place] = taps.reduce(0) {
            $0 + $1.weight * source[plane + $1.index]
          }
        }
      }
    }
    return [Tensor(rounding: y, to: type, shape: shape)]
  }

  private struct Sampler {
    let interpolation: Resampling.Interpolation
    let padding: Padding
    let alignsCorners: Bool

    /// The elements that make up the one at `number`, from -1 to 1, of an axis.
    func taps(_ number: Double, extent: Int) -> Taps {
      let length = Double(extent)
      var x = alignsCorners ? (number + 1) / 2 * (length - 1) : ((number + 1) * length - 1) / 2
      // A limit beyond every tensor, so that whatever comes from a file fits an integer.
      x = x.isNaN ? -0x1p40 : min(max(x, -0x1p40), 0x1p40)
      if interpolation == .nearest { x = rint(x) }
      switch padding {
      case .zeros: break
      case .border: x = min(max(x, 0), length - 1)
      case .reflection: x = reflected(x, extent)
      }
      if interpolation == .nearest {
        return inside(Int(x), extent).map { [($0, 1)] } ?? []
      }
      let kernel = Resampling(interpolation: interpolation)
      let first = Int(floor(x))
      let range = interpolation == .cubic ? (first - 1)...(first + 2) : first...(first + 1)
      return range.compactMap { index in
        inside(index, extent).map { ($0, kernel.kernel(Double(index) - x)) }
      }
    }

    /// The element that stands for index `index`, which may be outside; `nil` for zero.
    private func inside(_ index: Int, _ extent: Int) -> Int? {
      switch padding {
      case .zeros: (0..<extent).contains(index) ? index : nil
      case .border: min(max(index, 0), extent - 1)
      case .reflection: min(max(Int(reflected(Double(index), extent)), 0), extent - 1)
      }
    }

    /// A place mirrored at the borders until it lies between them.
    private func reflected(_ x: Double, _ extent: Int) -> Double {
      let low = alignsCorners ? 0 : -0.5
      let high = Double(extent) - (alignsCorners ? 1 : 0.5)
      let span = high - low
      guard x < low || x > high else { return x }
      guard span > 0 else { return low }
      let distance = x < low ? low - x : x - high
      let count = floor(distance / span)
      let rest = distance - count * span
      let isEven = count.truncatingRemainder(dividingBy: 2) == 0
      return (x < low) == isEven ? low + rest : high - rest
    }
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
