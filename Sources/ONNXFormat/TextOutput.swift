import GraphIR

/// Writes `text` to the file at `path`, which appears whole or not at all; what is not a regular file,
/// such as `/dev/stdout`, is written to directly.
///
/// Throws `.inputOutput` where it cannot be written.
public func writeText(_ text: String, to path: String) throws(CompileError) {
  try writeBytes(Array(text.utf8), to: path)
}

/// Writes `bytes` to the file at `path` in the same way.
///
/// Throws `.inputOutput` where it cannot be written.
public func writeBytes(_ bytes: [UInt8], to path: String) throws(CompileError) {
  let path = resolvingLinks(path)
  let file = try OutputFile(path: path)
  bytes.withUnsafeBytes { file.append($0) }
  try file.finish()
  try file.commit()
  OutputFile.synchronizeFolder(of: path)
}
