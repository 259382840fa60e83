import PrunecFiles

/// How a model is written.
public struct ExportOptions: Sendable {
  /// Where the elements of large initializers go.
  public enum ExternalData: Sendable {
    /// Into the model, unless the input had external data or the file would pass 2 GiB, which is
    /// more than protobuf allows.
    case automatic
    /// Into a file of their own beside the model, called as the model with a fingerprint of its content and
    /// `.data` appended.
    case always
    /// Into the model; it is an error if that passes 2 GiB.
    case never
  }

  public var externalData = ExternalData.automatic
  /// Whether a file that the model was read from may be replaced.
  public var inPlace = false
  /// The files that the model was read from.
  public var sourceFiles: [FileIdentity] = []

  public init(
    externalData: ExternalData = .automatic, inPlace: Bool = false,
    sourceFiles: [FileIdentity] = []
  ) {
    self.externalData = externalData
    self.inPlace = inPlace
    self.sourceFiles = sourceFiles
  }
}
