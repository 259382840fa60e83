import Glibc
import PrunecGraphIR
import PrunecTensors

/// How tensors are resampled: which elements of the operand go into an element of the result, and how
/// much each counts. Axes are resampled one after the other.
struct Resampling {
  enum Interpolation: String { case nearest, linear, cubic }

  /// Which neighbour `nearest` takes; at a tie the one before or after.
  enum Rounding: String {
    case roundPreferFloor = "round_prefer_floor"
    case roundPreferCeil = "round_prefer_ceil"
    case floor, ceil
  }

  /// Where an index of the result lies on the operand's axis.
  enum Coordinates: String {
    case halfPixel = "half_pixel"
    case symmetricHalfPixel = "half_pixel_symmetric"
    case pyTorchHalfPixel = "pytorch_half_pixel"
    case tensorFlowHalfPixel = "tf_half_pixel_for_nn"
    case alignCorners = "align_corners"
    case asymmetric
    case crop = "tf_crop_and_resize"
  }

  var interpolation = Interpolation.nearest
  var rounding = Rounding.floor
  var coordinates = Coordinates.asymmetric
  /// The coefficient a of the cubic kernel (Keys, "Cubic Convolution Interpolation for Digital Image
  /// Processing", 1981).
  var cubicCoefficient = -0.75
  /// Whether places outside of the operand do not count, rather than repeat the border.
  var excludesOutside = false
  /// Whether kernels widen with the step when there are fewer results than elements.
  var antialiases = false
  /// What stands in the result where it lies outside of the operand, under `crop`.
  var extrapolation = 0.0

  /// One axis to resample.
  struct Axis {
    let extent: Int
    let resultExtent: Int
    /// Results per element.
    let scale: Double
    /// The part of the axis that `crop` takes, the whole being 0 to 1.
    var region = (start: 0.0, end: 1.0)
  }

  /// What goes into one element of the result; nothing where it is extrapolated.
  private typealias Taps = [(index: Int, weight: Double)]

  /// Whether element i of the result is element i of the operand along an axis of equal extents, and
  /// stays so however long the axis is.
  func isIdentity(_ axis: Axis) -> Bool {
    guard axis.scale == 1, axis.extent == axis.resultExtent else { return false }
    let isWhole = axis.region == (0, 1) || coordinates != .crop
    return isWhole
      && (coordinates != .tensorFlowHalfPixel
        || interpolation == .nearest && [.floor, .roundPreferFloor].contains(rounding))
  }

  /// The place on the operand's axis of index `index` of the result.
  private func position(of index: Int, _ axis: Axis) -> Double {
    let x = Double(index)
    let span = Double(axis.extent - 1)
    let resultExtent = axis.scale * Double(axis.extent)
    switch coordinates {
    case .asymmetric: return x / axis.scale
    case .halfPixel: return (x + 0.5) / axis.scale - 0.5
    case .pyTorchHalfPixel: return axis.resultExtent > 1 ? (x + 0.5) / axis.scale - 0.5 : 0
    case .tensorFlowHalfPixel: return (x + 0.5) / axis.scale
    case .symmetricHalfPixel:
      let offset = Double(axis.extent) / 2 * (1 - Double(axis.resultExtent) / resultExtent)
      return offset + (x + 0.5) / axis.scale - 0.5
    case .alignCorners: return resultExtent == 1 ? 0 : x * span / (resultExtent - 1)
    case .crop:
      let (start, end) = axis.region
      if resultExtent == 1 { return (start + end) / 2 * span }
      return start * span + x * (end - start) * span / (resultExtent - 1)
    }
  }

  private func taps(_ index: Int, _ axis: Axis) -> Taps {
    let x = position(of: index, axis)
    let last = axis.extent - 1
    if coordinates == .crop, !(x >= 0 && x <= Double(last)) { return [] }
    // A limit beyond every tensor, so that whatever comes from a file fits an integer.
    let place = x.isNaN ? 0 : min(max(x, -0x1p40), 0x1p40)
    func clamped(_ index: Int) -> Int { min(max(index, 0), last) }
    if interpolation == .nearest {
      let neighbour =
        switch rounding {
        case .floor: floor(place)
        case .ceil: ceil(place)
        case .roundPreferFloor: ceil(place - 0.5)
        case .roundPreferCeil: floor(place + 0.5)
        }
      return [(clamped(Int(neighbour)), 1)]
    }
    // Narrower steps than one stretch the kernel.
    let width = antialiases ? min(axis.scale, 1) : 1
    let reach = (interpolation == .cubic ? 2 : 1) / width
    var taps: Taps = []
    for index in Int(ceil(place - reach))...Int(floor(place + reach)) {
      let weight = kernel((Double(index) - place) * width)
      guard weight != 0, !excludesOutside || index == clamped(index) else { continue }
      taps.append((clamped(index), weight))
    }
    let total = taps.reduce(0) { $0 + $1.weight }
    guard antialiases || excludesOutside, total != 0 else { return taps }
    return taps.map { ($0.index, $0.weight / total) }
  }

  /// The weight of an element at some distance, for linear and cubic interpolation.
  func kernel(_ distance: Double) -> Double {
    let x = abs(distance)
    guard interpolation == .cubic else { return max(0, 1 - x) }
    let a = cubicCoefficient
    if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
  }

  /// The tensor with its axes resampled, each as `axes` says.
  func apply(
    _ call: Invocation, to tensor: Tensor, _ axes: [Axis]
  ) throws(CompileError) -> Tensor {
    let shape = axes.map(\.resultExtent)
    if shape.contains(0) { return tensor.emptied(shape) }
    let active = axes.indices.filter { !isIdentity(axes[$0]) }
    let taps = active.map { axis in
      (0..<axes[axis].resultExtent).map { self.taps($0, axes[axis]) }
    }
    let isOutside = coordinates == .crop && taps.contains { $0.contains(where: \.isEmpty) }
    if interpolation == .nearest, !isOutside {
      return zip(active, taps).reduce(tensor) { moved, next in
        moved.keeping(next.1.map { $0[0].index }, alongAxis: next.0)
      }
    }
    let type = tensor.elementType
    guard type.isFloatingPoint || type.isInteger else {
      throw call.unsupported("resampling of \(type.name) is not evaluated")
    }
    var (elements, extents) = (tensor.doubles, tensor.shape)
    for (axis, taps) in zip(active, taps) {
      elements = Self.combine(elements, extents, axis, taps)
      extents[axis] = taps.count
    }
    for (axis, taps) in zip(active, taps) where isOutside {
      let lanes = AxisLanes(extents, axis: axis)
      let outside = taps.indices.filter { taps[$0].isEmpty }
      for start in lanes.starts {
        for index in outside { elements[start + index * lanes.stride] = extrapolation }
      }
    }
    if type.isFloatingPoint { return Tensor(rounding: elements, to: type, shape: shape) }
    // Integers are rounded, halves to even, and saturate.
    let rounded = Tensor(.float64, shape: shape, elements: elements.map { rint($0) })
    return rounded.converted(to: type)!
  }

  /// The computation that `apply` is, where no element has more than two neighbours.
  func computation(_ axes: [Axis]) -> Computation? {
    var neighbours: [ResamplingNeighbours?] = []
    for axis in axes {
      guard !isIdentity(axis) else {
        neighbours.append(nil)
        continue
      }
      guard axis.extent > 0, !antialiases, interpolation != .cubic,
        max(axis.extent, axis.resultExtent) <= ResamplingNeighbours.extentLimit
      else { return nil }
      let taps = (0..<axis.resultExtent).map { self.taps($0, axis) }
      guard taps.allSatisfy({ (1...2).contains($0.count) }) else { return nil }
      guard taps.contains(where: { $0.count == 2 }) else {
        neighbours.append(
          ResamplingNeighbours(
            indices: [taps.map { $0[0].index }], weights: [taps.map { Float($0[0].weight) }]))
        continue
      }
      // A lone neighbour counts as two halves of it: with a weight of zero, infinities would be lost.
      let pairs = taps.map { taps in
        taps.count == 2
          ? taps : [(taps[0].index, taps[0].weight / 2), (taps[0].index, taps[0].weight / 2)]
      }
      neighbours.append(
        ResamplingNeighbours(
          indices: (0..<2).map { tap in pairs.map { $0[tap].index } },
          weights: (0..<2).map { tap in pairs.map { Float($0[tap].weight) } }))
    }
    return .resampling(neighbours)
  }

  private static func combine(
    _ elements: [Double], _ extents: [Int], _ axis: Int, _ taps: [Taps]
  ) -> [Double] {
    let outer = extents[..<axis].reduce(1, *)
    let inner = extents[(axis + 1)...].reduce(1, *)
    var result = [Double](repeating: 0, count: outer * taps.count * inner)
    for row in 0..<outer {
      for index in taps.indices {
        let target = (row * taps.count + index) * inner
        for (source, weight) in taps[index] {
          let start = (row * extents[axis] + source) * inner
          for column in 0..<inner { result[target + column] += weight * elements[start + column] }
        }
      }
    }
    return result
  }
}
