import Foundation
import PrunecFiles
import PrunecGraphIR

/// Folder for files that nothing needs after this run; it goes with them when nobody holds it any more.
final class TemporaryFolder {
  let path: String
  /// Has it removed where a signal ends the run.
  private let removal: Interruption.Registration

  /// Throws an input-output error where the folder cannot be made.
  init() throws(CompileError) {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("prunec-" + UUID().uuidString, isDirectory: true)
    path = folder.path
    removal = Interruption.remove(.folder, at: path)
    do {
      try FileManager.default.createDirectory(
        at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw CompileError(
        .inputOutput, "the folder '\(path)' cannot be made: \(error.localizedDescription)")
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of a file in the folder.
  func path(of name: String) -> String { "\(path)/\(name)" }

  /// Writes a file and returns its path.
  func write(_ bytes: [UInt8], to name: String) throws(CompileError) -> String {
    let path = path(of: name)
    do {
      try Data(bytes).write(to: URL(fileURLWithPath: path))
    } catch {
      throw CompileError(
        .inputOutput, "'\(path)' cannot be written: \(error.localizedDescription)")
    }
    return path
  }

  func remove(_ name: String) { try? FileManager.default.removeItem(atPath: path(of: name)) }
}
