import Foundation
import PrunecFiles
import PrunecGraphIR
import PrunecTensors

/// Description of an array, without its elements.
package struct ArrayHeader: Hashable, Sendable {
  package let elementType: ElementType
  /// Extents, outermost first.
  package let shape: [Int]

  package init(elementType: ElementType, shape: [Int]) {
    self.elementType = elementType
    self.shape = shape
  }
}

/// Arrays in files as NumPy writes them: one in an `.npy` file, several by name in an `.npz` archive.
package enum ArrayFile {
  /// The array of an `.npy` file.
  ///
  /// Throws an input/output error where the file cannot be read, and a malformed error for what is in it.
  package static func read(_ path: String) throws(CompileError) -> Tensor {
    try NumPyFormat.tensor(try mapped(path))
  }

  /// The arrays of an `.npz` archive that are asked for, by name, and the names of all. What is not asked for is not
  /// read, whatever it is.
  package static func readArchive(
    _ path: String, _ isWanted: (String) -> Bool = { _ in true }
  ) throws(CompileError) -> (arrays: [String: Tensor], names: [String]) {
    var tensors: [String: Tensor] = [:]
    let archive = try ZipArchive.read(path) { isWanted(arrayName($0)) }
    for entry in archive.entries {
      let name = arrayName(entry.name)
      tensors[name] = try CompileError.about("array '\(name)'") { () throws(CompileError) in
        try NumPyFormat.tensor(entry.data)
      }
    }
    return (tensors, archive.names.map(arrayName))
  }

  /// Type and shape of those arrays of an `.npz` archive that are asked for, by name, and the names of all. No elements
  /// are read.
  package static func readArchiveHeaders(
    _ path: String, _ isWanted: (String) -> Bool = { _ in true }
  ) throws(CompileError) -> (headers: [String: ArrayHeader], names: [String]) {
    var headers: [String: ArrayHeader] = [:]
    let archive = try ZipArchive.read(path, prefix: 1 << 16) { isWanted(arrayName($0)) }
    for entry in archive.entries {
      let name = arrayName(entry.name)
      headers[name] = try CompileError.about("array '\(name)'") { () throws(CompileError) in
        try NumPyFormat.layout(of: entry.data, byteCount: entry.byteCount).header
      }
    }
    return (headers, archive.names.map(arrayName))
  }

  /// The bytes of a file, read when they are asked for.
  static func mapped(_ path: String) throws(CompileError) -> Data {
    let file = try MappedFile(path: path)
    guard let address = file.bytes.baseAddress else { return Data() }
    return Data(
      bytesNoCopy: UnsafeMutableRawPointer(mutating: address), count: file.bytes.count,
      deallocator: .custom { _, _ in withExtendedLifetime(file) {} })
  }

  private static func arrayName(_ entry: String) -> String {
    entry.hasSuffix(".npy") ? String(entry.dropLast(4)) : entry
  }

  /// The bytes of an `.npy` file.
  package static func bytes(of tensor: Tensor) throws(CompileError) -> Data {
    try NumPyFormat.bytes(of: tensor)
  }

  /// The bytes of an `.npz` archive.
  package static func archive(_ tensors: [(name: String, tensor: Tensor)]) throws(CompileError)
    -> Data
  {
    try ZipArchive.bytes(
      tensors.map { (entry) throws(CompileError) in
        (entry.name + ".npy", try NumPyFormat.bytes(of: entry.tensor))
      })
  }
}
