import PrunecGraphIR
import PrunecTensors

/// What makes an input of an image: it is resized so that it covers the input and cropped about its centre, and its values
/// become `(v / 255 - mean) / std`, or stay 0 to 255 for an input of `uint8`.
///
/// After `Resize` and `CenterCrop` of torchvision, but for rounding: values between those of 8 bits are kept.
struct ImagePreparation: Sendable {
  private let layout: DataSetOptions.Layout
  private let channels: Int
  private let size: DataSetOptions.Size
  private let cropFraction: Double
  /// One for each channel.
  private let mean: [Float]
  private let std: [Float]
  private let elementType: ElementType

  /// Throws a usage error where `input` takes no images, or leaves open what `options` do not say.
  init(for input: ModelInput, _ options: DataSetOptions) throws(CompileError) {
    let name = "input '\(input.name)'"
    guard let dimensions = input.type?.shape, dimensions.count == 4 else {
      throw CompileError(
        .usage,
        "holds images, and \(name) takes \(input.shapeText), not [N, C, H, W] or [N, H, W, C]")
    }
    let extents = dimensions.map(\.fixedExtent)
    layout = try Self.layout(of: extents, name, input.shapeText, options.layout)
    let axes =
      layout == .nchw ? (channel: 1, height: 2, width: 3) : (channel: 3, height: 1, width: 2)
    channels = extents[axes.channel] ?? 3
    guard channels == 1 || channels == 3 else {
      throw CompileError(
        .usage,
        "holds images, and \(name) takes \(channels) channels (\(input.shapeText)), not 1 or 3")
    }
    size = try Self.size(extents[axes.height], extents[axes.width], name, options.size)
    guard options.cropFraction > 0, options.cropFraction <= 1 else {
      throw CompileError(.usage, "the fraction \(options.cropFraction) to crop to is not in (0, 1]")
    }
    cropFraction = options.cropFraction
    elementType = input.type?.elementType ?? .float32
    guard elementType.isFloatingPoint || elementType == .uint8 else {
      throw CompileError(
        .usage, "holds images, and \(name) takes \(elementType.name), not floating point or uint8")
    }
    guard elementType != .uint8 || (options.mean.isEmpty && options.std.isEmpty) else {
      throw CompileError(.usage, "\(name) takes uint8, which mean and std do not apply to")
    }
    mean = try Self.each(options.mean, default: 0, channels, "mean")
    std = try Self.each(options.std, default: 1, channels, "std")
    guard std.allSatisfy({ $0 > 0 }) else {
      throw CompileError(.usage, "the std \(options.std) is not above 0")
    }
  }

  private static func layout(
    of extents: [Int?], _ name: String, _ shape: String, _ given: DataSetOptions.Layout?
  ) throws(CompileError) -> DataSetOptions.Layout {
    if let given { return given }
    let (isFirst, isLast) = ([1, 3].contains(extents[1]), [1, 3].contains(extents[3]))
    guard isFirst != isLast else {
      throw CompileError(
        .usage, "\(name) takes \(shape), which does not tell the layout of images: pass --layout")
    }
    return isFirst ? .nchw : .nhwc
  }

  private static func size(
    _ height: Int?, _ width: Int?, _ name: String, _ given: DataSetOptions.Size?
  ) throws(CompileError) -> DataSetOptions.Size {
    guard let height = height ?? given?.height, let width = width ?? given?.width else {
      throw CompileError(.usage, "\(name) leaves the size of images open: pass --size")
    }
    if let given, given.height != height || given.width != width {
      throw CompileError(
        .usage, "\(name) takes images of \(height)x\(width), not \(given.height)x\(given.width)")
    }
    guard (1...16384).contains(height), (1...16384).contains(width) else {
      throw CompileError(
        .usage, "images of \(height)x\(width) are not between 1 and 16384 pixels wide")
    }
    return DataSetOptions.Size(height: height, width: width)
  }

  private static func each(
    _ numbers: [Float], default number: Float, _ channels: Int, _ name: String
  ) throws(CompileError) -> [Float] {
    guard numbers.allSatisfy(\.isFinite) else {
      throw CompileError(.usage, "the \(name) \(numbers) is not finite")
    }
    if numbers.count == channels { return numbers }
    guard numbers.count <= 1 else {
      throw CompileError(
        .usage, "the \(name) has \(numbers.count) numbers for \(counted(channels, "channel"))")
    }
    return [Float](repeating: numbers.first ?? number, count: channels)
  }

  /// The shape of what `tensor(of:)` gives.
  var shape: [Int] {
    layout == .nchw
      ? [1, channels, size.height, size.width] : [1, size.height, size.width, channels]
  }

  /// An input of one item.
  func tensor(of image: Image) -> Tensor {
    let image = image.with(channels: channels)
    let whole = covering(height: image.height, width: image.width)
    let rows = Self.middle(size.height, of: whole.height)
    let columns = Self.middle(size.width, of: whole.width)
    var values = image.resampled(to: whole, rows: rows, columns: columns)
    if elementType == .uint8 {
      let shape = [1, size.height, size.width, channels]
      let bytes = values.map { UInt8(min(255, max(0, $0.rounded()))) }
      let tensor = Tensor(.uint8, shape: shape, elements: bytes)
      return layout == .nhwc ? tensor : tensor.transposed([0, 3, 1, 2])
    }
    for index in values.indices {
      let channel = index % channels
      values[index] = (values[index] / 255 - mean[channel]) / std[channel]
    }
    let tensor = Tensor(
      rounding: values, to: elementType, shape: [1, size.height, size.width, channels])
    return layout == .nhwc ? tensor : tensor.transposed([0, 3, 1, 2])
  }

  /// The size at which an image just covers the input, or that divided by the fraction to crop to.
  private func covering(height: Int, width: Int) -> DataSetOptions.Size {
    let (target, other) = (
      Int(Double(size.height) / cropFraction), Int(Double(size.width) / cropFraction)
    )
    // Whichever side is shorter, measured by the input, is met exactly; the other is rounded down.
    return size.height * width >= size.width * height
      ? DataSetOptions.Size(height: target, width: max(other, target * width / height))
      : DataSetOptions.Size(height: max(target, other * height / width), width: other)
  }

  /// The middle `count` of `whole`; an odd one out goes by rounding half to even.
  private static func middle(_ count: Int, of whole: Int) -> Range<Int> {
    let start = Int((Double(whole - count) / 2).rounded(.toNearestOrEven))
    return start..<(start + count)
  }
}
