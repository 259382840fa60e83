import PrunecGraphIR

/// Preparation of samples from images. Arrays are taken as they are.
public struct DataSetOptions: Hashable, Sendable {
  /// Where the channels of an image are.
  public enum Layout: String, CaseIterable, Sendable {
    /// `[N, C, H, W]`
    case nchw
    /// `[N, H, W, C]`
    case nhwc
  }

  /// Extents of an image in pixels.
  public struct Size: Hashable, Sendable {
    public var height: Int
    public var width: Int

    public init(height: Int, width: Int) {
      self.height = height
      self.width = width
    }
  }

  /// Numbers subtracted from values between 0 and 1: one number, or one for each channel; none is 0.
  public var mean: [Float]
  /// Divisors of the differences: one number, or one for each channel; none is 1.
  public var std: [Float]
  /// Read off the shape of the model's input where it is `nil`.
  public var layout: Layout?
  /// The size of the images that the model gets; that of its input where it is `nil`.
  public var size: Size?
  /// The part of an image's shorter side that is left when it is cropped, in (0, 1]: with 0.875 an image is resized to 256
  /// pixels for an input of 224.
  public var cropFraction: Double

  public init(
    mean: [Float] = [], std: [Float] = [], layout: Layout? = nil, size: Size? = nil,
    cropFraction: Double = 1
  ) {
    self.mean = mean
    self.std = std
    self.layout = layout
    self.size = size
    self.cropFraction = cropFraction
  }

  /// Throws a usage error where anything is asked for that only images can have.
  func checkUnused(by kind: String) throws(CompileError) {
    guard self == DataSetOptions() else {
      throw CompileError(
        .usage,
        "holds \(kind), which are taken as they are: mean, std, layout, size and crop are for images"
      )
    }
  }
}
