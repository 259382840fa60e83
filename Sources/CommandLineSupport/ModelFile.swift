import Foundation
import PrunecFiles
import PrunecGraphIR
import PrunecONNXFormat
import PrunecONNXText
import PrunecTensors

/// A model read from a file of either form, with what is needed to write it again.
package struct ModelFile {
  package let model: Model
  package let warnings: [Diagnostic]
  package let sourceFiles: [FileIdentity]
  /// Size of the model with its external data, in bytes.
  package let byteCount: Int

  /// Reads `path`: ONNX's textual syntax if it ends in `.onnxtxt` or `.txt`, a protobuf otherwise.
  package init(_ path: String, allowAbsentExternalData: Bool = false) throws(CompileError) {
    if path.hasSuffix(".onnxtxt") || path.hasSuffix(".txt") {
      let file = try TextFile(path: path)
      model = try parseModel(file.text)
      warnings = []
      sourceFiles = [file.identity]
      byteCount = file.text.utf8.count
    } else {
      var options = ImportOptions()
      options.allowAbsentExternalData = allowAbsentExternalData
      let imported = try importModel(path: path, options: options)
      model = imported.model
      warnings = imported.warnings
      sourceFiles = imported.sourceFiles
      byteCount = Self.size(path) + Self.externalSize(imported.model, beside: path)
    }
  }

  /// The fingerprint of the files that the model was read from, of which `path` is the first.
  package func fingerprint(of path: String) throws -> String {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    let external = Self.externalLocations(model).map { folder.appendingPathComponent($0).path }
    var fingerprint = Fingerprint()
    for file in [path] + external {
      let mapped = try LocatedError.at(file) { () throws(CompileError) in
        try MappedFile(path: file)
      }
      withExtendedLifetime(mapped) { fingerprint.add(mapped.bytes) }
    }
    return fingerprint.text
  }

  /// The files beside the model's that its weights are in.
  private static func externalLocations(_ model: Model) -> [String] {
    Set(model.graph.initializers.compactMap { model.graph[$0].externalLocation }).sorted()
  }

  /// The size of a file; 0 where there is none.
  private static func size(_ path: String) -> Int {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    return (attributes?[.size] as? NSNumber)?.intValue ?? 0
  }

  private static func externalSize(_ model: Model, beside path: String) -> Int {
    let folder = (path as NSString).deletingLastPathComponent
    return externalLocations(model).reduce(0) {
      $0 + size((folder as NSString).appendingPathComponent($1))
    }
  }
}
