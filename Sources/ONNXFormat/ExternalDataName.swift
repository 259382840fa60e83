import Glibc
import PrunecFiles
import PrunecGraphIR

/// Names of the external data files that are written: the model's, a fingerprint of the data, and `data`, with points between.
///
/// A name stands for one content. So new data never takes the place of what a model refers to, and the model's own file decides which of
/// them counts.
package enum ExternalDataName {
  private static let digitCount = 16

  static func text(modelName: String, content: String) -> String { "\(modelName).\(content).data" }

  /// Whether `name` could be that of data which belongs to the model in a file called `modelName`.
  package static func isName(_ name: String, ofDataFor modelName: String) -> Bool {
    guard name.hasPrefix(modelName + "."), name.hasSuffix(".data") else { return false }
    let content = name.dropFirst(modelName.count + 1).dropLast(5)
    return content.utf8.count == digitCount
      && content.allSatisfy { "0123456789abcdef".contains($0) }
  }
}

/// The data files that a model leaves behind when another takes its place.
struct SupersededData {
  private let folder: String
  private var names: [String]

  /// The data files that were written for the model at `path` and that it refers to. Such a name, in the model of just that name,
  /// is one that prunec has given.
  init(ofModelAt path: String) {
    folder = PrunecFiles.folder(of: path)
    let modelName = fileName(of: path)
    let candidates = Self.files(in: folder).filter {
      ExternalDataName.isName($0, ofDataFor: modelName)
    }
    names = candidates.isEmpty ? [] : Self.names(candidates, inModelAt: path)
  }

  /// Removes them where no model of the folder refers to them.
  func remove() {
    guard !names.isEmpty else { return }
    var unused = Set(names)
    for file in Self.files(in: folder) where !unused.isEmpty {
      unused.subtract(Self.names(Array(unused), inModelAt: "\(folder)/\(file)"))
    }
    for name in unused { unlink("\(folder)/\(name)") }
  }

  private static func files(in folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var files: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      var status = stat()
      guard stat("\(folder)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        continue
      }
      files.append(name)
    }
    return files
  }

  /// Those of `names` that the model at `path` contains anywhere outside of its weights; none where it is no model.
  private static func names(_ names: [String], inModelAt path: String) -> [String] {
    // The results of this process do not depend on another model, which may change meanwhile.
    guard let file = try? MappedFile(path: path, isWatched: false),
      let skeleton = try? WireScanner.skeleton(of: file.bytes)
    else { return [] }
    return names.filter { contains(skeleton.bytes, Array($0.utf8)) }
  }

  private static func contains(_ bytes: [UInt8], _ text: [UInt8]) -> Bool {
    bytes.withUnsafeBufferPointer { bytes in
      guard let base = bytes.baseAddress, bytes.count >= text.count else { return false }
      let end = base + (bytes.count - text.count + 1)
      var next = base
      while let found = memchr(next, Int32(text[0]), end - next) {
        if memcmp(found, text, text.count) == 0 { return true }
        next = UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) + 1
      }
      return false
    }
  }
}
