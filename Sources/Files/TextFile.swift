import PrunecGraphIR

/// The text of a file, and which file it is.
public struct TextFile {
  public let text: String
  public let identity: FileIdentity

  /// Reads the file at `path`.
  ///
  /// Throws `.inputOutput` where it cannot be opened or is no regular file, and `.malformed` where it is not UTF-8.
  public init(path: String) throws(CompileError) {
    let file = try MappedFile(path: path)
    guard let text = String(validating: file.bytes, as: UTF8.self) else {
      throw CompileError(.malformed, "is not UTF-8 text")
    }
    self.text = text
    identity = file.identity
  }
}

/// Writes `text` to the file at `path`, which appears whole or not at all; what is not a regular file,
/// such as `/dev/stdout`, is written to directly.
///
/// Throws `.inputOutput` where it cannot be written.
package func writeText(_ text: String, to path: String) throws(CompileError) {
  try writeBytes(Array(text.utf8), to: path)
}

/// Writes `bytes` to the file at `path` in the same way.
///
/// Throws `.inputOutput` where it cannot be written.
package func writeBytes(_ bytes: [UInt8], to path: String) throws(CompileError) {
  try OutputFile(bytes, for: path).commit()
}
