import Foundation

/// Arrays in files as NumPy writes them: one in an `.npy` file, several by name in an `.npz` archive.
public enum ArrayFile {
  /// The array of an `.npy` file.
  ///
  /// Throws an input/output error where the file cannot be read, and a malformed or unsupported error for what is in it.
  public static func read(_ path: String) throws(CompileError) -> Tensor {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw CompileError(.inputOutput, "cannot be read")
    }
    return try NumPyFormat.tensor(data)
  }

  /// The arrays of an `.npz` archive, by name.
  public static func readArchive(_ path: String) throws(CompileError) -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for (name, data) in try ZipArchive.read(path) {
      let name = name.hasSuffix(".npy") ? String(name.dropLast(4)) : name
      do throws(CompileError) {
        tensors[name] = try NumPyFormat.tensor(data)
      } catch {
        var named = error
        for index in named.diagnostics.indices {
          named.diagnostics[index].message =
            "array '\(name)' " + named.diagnostics[index].message
        }
        throw named
      }
    }
    return tensors
  }

  /// The bytes of an `.npy` file.
  public static func bytes(of tensor: Tensor) throws(CompileError) -> Data {
    try NumPyFormat.bytes(of: tensor)
  }

  /// The bytes of an `.npz` archive.
  public static func archive(_ tensors: [(name: String, tensor: Tensor)]) throws(CompileError)
    -> Data
  {
    try ZipArchive.bytes(
      tensors.map { (entry) throws(CompileError) in
        (entry.name + ".npy", try NumPyFormat.bytes(of: entry.tensor))
      })
  }
}
