import Foundation
import PrunecArrayFiles
import PrunecDataSets
import PrunecGraphIR
import PrunecTensors

/// A folder that lives as long as the object.
final class SetFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appending(path: "set-\(UUID())").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file, and the folders that lead to it; the result is its path.
  @discardableResult
  func write(_ data: Data, to name: String) throws -> String {
    let file = URL(fileURLWithPath: path).appending(path: name)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: file)
    return file.path
  }

  @discardableResult
  func write(array: Tensor, to name: String) throws -> String {
    try write(ArrayFile.bytes(of: array), to: name)
  }

  @discardableResult
  func write(archive: [(name: String, tensor: Tensor)], to name: String) throws -> String {
    try write(ArrayFile.archive(archive), to: name)
  }
}

/// The numbers from `start` on.
func counting(_ shape: [Int], from start: Int = 0) -> Tensor {
  Tensor((0..<shape.elementCount).map { Float(start + $0) }, shape: shape)
}

/// An input of a shape such as `N 3 ? 8`.
func input(_ name: String = "x", _ type: ElementType = .float32, _ shape: String = "N 2")
  -> ModelInput
{
  let dimensions = shape.split(separator: " ").map { extent in
    Int(extent).map(Dimension.fixed) ?? (extent == "?" ? .unknown : .symbol(String(extent)))
  }
  return ModelInput(name: name, type: TensorType(type, dimensions))
}

/// The text of the error that `body` throws, its kind first; empty where it throws none.
func failure(_ body: () throws(CompileError) -> Void) -> String {
  do throws(CompileError) {
    try body()
    return ""
  } catch {
    return "\(error.kind): \(error.diagnostics[0].message)"
  }
}
