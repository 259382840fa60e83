import CPrunecONNX
import PrunecGraphIR

/// Reads which operator sets a model or function uses.
enum OpsetImporter {
  /// The versions of the standard operator set that prunec knows.
  static let supportedVersions = 7...28

  /// The operator sets.
  ///
  /// Throws `.malformed` for versions of the standard set that are not known, and for two versions
  /// of one set.
  static func imports(
    _ protos: [Message<Onnx__OperatorSetIdProto>]
  ) throws(CompileError) -> [OpsetImport] {
    var imports: [OpsetImport] = []
    var versions: [String: Int] = [:]
    for proto in protos {
      let domain = text(proto.pointee.domain)
      let version = Int(proto.pointee.version)
      let isStandard = domain.isEmpty || domain == "ai.onnx"
      if let known = versions.updateValue(version, forKey: isStandard ? "" : domain) {
        // Models that were merged list a set once for each part.
        if known == version { continue }
        throw CompileError(
          .malformed,
          "operator set '\(isStandard ? "ai.onnx" : domain)' is imported in versions \(known) and "
            + "\(version)")
      }
      guard !isStandard || supportedVersions.contains(version) else {
        throw CompileError(
          .malformed,
          "the model uses version \(version) of ONNX's operators; versions "
            + "\(supportedVersions.lowerBound) to \(supportedVersions.upperBound) are supported")
      }
      imports.append(
        OpsetImport(domain, version, annotations: Annotations(of: proto)))
    }
    return imports
  }
}
