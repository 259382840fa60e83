/// How a model becomes text.
public struct PrintOptions: Sendable {
  /// Tensors of more elements are elided as `{...}`; `nil` prints all data.
  public var elementLimit: Int?
  /// Whether the types of values that nodes define are printed, beside those of inputs and outputs.
  public var printTypes = true
  /// Whether the model's header is printed. A model of IR version 10 that imports operator set 21,
  /// and version 1 of other domains, reads the same without.
  public var printHeader = true
  /// Whether elements are written as `onnx.parser` reads them, halves as bit patterns and sub-byte
  /// integers as packed bytes, rather than as values.
  public var printPatterns = false

  public init(elementLimit: Int? = nil) { self.elementLimit = elementLimit }

  /// For eyes and exact comparison: large constants elided, every element a value.
  public static let readable = PrintOptions(elementLimit: 16)

  /// Everything, in a form that `onnx.parser` understands too.
  public static let complete = {
    var options = PrintOptions()
    options.printPatterns = true
    return options
  }()
}
