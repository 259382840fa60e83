import CPrunecONNX
import PrunecFiles
import PrunecGraphIR
import PrunecTensors

/// How a model is read.
public struct ImportOptions: Sendable {
  /// Whether tensors in external files that cannot be read become tensors without data, which is
  /// enough to look at a model, rather than an error.
  public var allowAbsentExternalData = false

  public init(allowAbsentExternalData: Bool = false) {
    self.allowAbsentExternalData = allowAbsentExternalData
  }
}

/// A model as read from a file.
public struct ImportedModel: Sendable {
  public var model: Model
  /// What is odd about the file without making it invalid.
  public var warnings: [Diagnostic]
  /// The files that the model's tensors borrow their elements from, the model's own first; none of
  /// them may be written to while the model lives.
  public var sourceFiles: [FileIdentity]
}

/// What all parts of one import share.
final class ImportSession {
  let options: ImportOptions
  let externalData: ExternalDataFolder?
  var warnings: [Diagnostic] = []

  private let bytes: UnsafeRawBufferPointer
  private let owner: AnyObject
  private var scopes: [UnsafeMutableRawPointer: GraphScope] = [:]
  private var capturesLeft = 250_000
  /// The external data files that a warning has said to be absent.
  private var absentFiles: Set<String> = []

  /// `owner` keeps `bytes`, the whole file, alive.
  init(
    bytes: UnsafeRawBufferPointer, owner: AnyObject, folder: String?, options: ImportOptions
  ) {
    self.bytes = bytes
    self.owner = owner
    self.options = options
    externalData = folder.map { ExternalDataFolder(path: $0) }
  }

  func warn(_ message: String, at location: Location? = nil) {
    warnings.append(Diagnostic(.warning, message, at: location))
  }

  /// Warns of an external data file that cannot be read, once for all its tensors.
  func warn(ofAbsentFile location: String, _ error: CompileError) {
    guard absentFiles.insert(location).inserted else { return }
    warnings.append(
      Diagnostic(
        .warning, error.diagnostics[0].message, notes: ["its tensors are taken as unknown"]))
  }

  /// A storage that borrows the bytes that a tensor's `raw_data` stands for.
  func storage(of omitted: OmittedBytes) -> TensorStorage {
    TensorStorage(borrowing: UnsafeRawBufferPointer(rebasing: bytes[omitted.range]), from: owner)
  }

  /// Which names the graph defines and which it takes from around it.
  func scope(of graph: Message<Onnx__GraphProto>) -> GraphScope {
    let key = UnsafeMutableRawPointer(graph)
    if let known = scopes[key] { return known }
    let scope = GraphScope(of: graph, in: self)
    scopes[key] = scope
    return scope
  }

  /// Counts the captured values of a subgraph. All subgraphs of a node list the captures of all,
  /// which is quadratic in files made for it.
  func countCaptures(_ count: Int, at location: Location) throws(CompileError) {
    capturesLeft -= count
    guard capturesLeft >= 0 else {
      throw CompileError(
        .malformed, "subgraphs take an implausible number of values from around them", at: location)
    }
  }
}
