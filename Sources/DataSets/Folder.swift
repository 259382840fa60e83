import Foundation
import PrunecGraphIR

/// Contents of a folder, hidden entries aside, in the order of the bytes of their names.
struct Folder {
  let path: String
  let files: [String]
  let folders: [String]

  /// Lists the folder at `path`; `nil` where there is something else.
  ///
  /// Throws an input/output error where there is nothing, or nothing that can be read.
  init?(_ path: String) throws(CompileError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CompileError(.inputOutput, "cannot be read: No such file or directory")
    }
    guard isFolder.boolValue else { return nil }
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
      throw CompileError(.inputOutput, "cannot be read: \(error.localizedDescription)")
    }
    self.path = path
    var (files, folders): ([String], [String]) = ([], [])
    let visible = names.filter { !$0.hasPrefix(".") }
    for name in visible.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
      _ = FileManager.default.fileExists(atPath: path + "/" + name, isDirectory: &isFolder)
      if isFolder.boolValue { folders.append(name) } else { files.append(name) }
    }
    self.files = files
    self.folders = folders
  }

  /// The path of an entry.
  func path(of name: String) -> String { path + "/" + name }
}
