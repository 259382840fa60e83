import Foundation

/// Arrays in files as NumPy writes them: one in an `.npy` file, several by name in an `.npz` archive.
public enum ArrayFile {
  /// The array of an `.npy` file.
  ///
  /// Throws an input/output error where the file cannot be read, and a malformed error for what is in it.
  public static func read(_ path: String) throws(CompileError) -> Tensor {
    guard let data = FileManager.default.contents(atPath: path) else {
      let reason = access(path, R_OK) == 0 ? "it is no file" : String(cString: strerror(errno))
      throw CompileError(.inputOutput, "cannot be read: \(reason)")
    }
    return try NumPyFormat.tensor(data)
  }

  /// The arrays of an `.npz` archive that are asked for, by name, and the names of all. What is not asked for is not
  /// read, whatever it is.
  public static func readArchive(
    _ path: String, _ isWanted: (String) -> Bool = { _ in true }
  ) throws(CompileError) -> (arrays: [String: Tensor], names: [String]) {
    var tensors: [String: Tensor] = [:]
    let archive = try ZipArchive.read(path) { isWanted(arrayName($0)) }
    for (entry, data) in archive.entries {
      let name = arrayName(entry)
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
    return (tensors, archive.names.map(arrayName))
  }

  private static func arrayName(_ entry: String) -> String {
    entry.hasSuffix(".npy") ? String(entry.dropLast(4)) : entry
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
