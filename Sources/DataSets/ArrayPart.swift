import Foundation
import PrunecArrayFiles
import PrunecGraphIR
import PrunecTensors
import Synchronization

/// Samples in NumPy's arrays, whose first axis is that of the samples: an archive with an array for each input and perhaps
/// labels `y`, or one `.npy` file for each.
///
/// Of `.npy` files no more is read than is asked for. An archive, which is compressed as a rule, is read whole when it is
/// first asked for.
final class ArrayPart: DataSet {
  let name: String
  let count: Int
  let warnings: [Diagnostic]
  private let inputs: [ModelInput]
  /// The name of each input's array.
  private let arrayNames: [String]
  /// The shape of each input for one sample.
  private let shapes: [[Int]]
  private let labels: [Int]?
  private let source: Source

  private enum Source {
    case files([String: MappedArray])
    case archive(LoadedArchive)
  }

  var hasLabels: Bool { labels != nil }

  static func isArrayFile(_ path: String) -> Bool {
    path.hasSuffix(".npz") || path.hasSuffix(".npy")
  }

  /// Opens an `.npz` archive, or an `.npy` file for the one input.
  convenience init(_ path: String, for inputs: [ModelInput]) throws(CompileError) {
    guard path.hasSuffix(".npz") else {
      guard inputs.count == 1 else {
        let wanted = inputs.contains(where: \.isLabels) ? "arrays" : "inputs"
        throw CompileError(
          .usage, "has one array for \(inputs.count) \(wanted): \(inputs.map(\.name).listed)")
      }
      let array = try MappedArray(path)
      try self.init(
        path, headers: [inputs[0].name: array.header], names: [inputs[0].name],
        source: .files([inputs[0].name: array]), for: inputs)
      return
    }
    let names = try ArrayFile.readArchiveHeaders(path) { _ in false }.names
    let wanted = Set(try Self.arrayNames(of: inputs, among: names))
    let headers = try ArrayFile.readArchiveHeaders(path) {
      wanted.contains($0) || $0 == labelName
    }.headers
    try self.init(
      path, headers: headers, names: names,
      source: .archive(LoadedArchive(path, wanted)), for: inputs)
  }

  /// Opens a folder of `.npy` files with the names of arrays.
  convenience init(
    _ folder: Folder, arrays: [String], for inputs: [ModelInput]
  ) throws(CompileError) {
    var files: [String: MappedArray] = [:]
    for name in arrays {
      files[name] = try CompileError.about("'\(name).npy'") { () throws(CompileError) in
        try MappedArray(folder.path(of: name + ".npy"))
      }
    }
    try self.init(
      folder.path, headers: files.mapValues(\.header), names: arrays, source: .files(files),
      for: inputs)
  }

  private init(
    _ name: String, headers: [String: ArrayHeader], names: [String], source: Source,
    for inputs: [ModelInput]
  ) throws(CompileError) {
    self.name = name
    self.inputs = inputs
    self.source = source
    arrayNames = try Self.arrayNames(of: inputs, among: names)
    var (shapes, count): ([[Int]], Int?) = ([], nil)
    for (input, array) in zip(inputs, arrayNames) {
      guard let header = headers[array] else { preconditionFailure("an array that was not read") }
      guard let items = header.shape.first else {
        throw CompileError(.malformed, "array '\(array)' is a scalar, without an axis of samples")
      }
      try input.check(header.shape, of: "array '\(array)'")
      if let count, count != items {
        throw CompileError(
          .malformed,
          "\(arrayNames[0]) has \(counted(count, "item")), \(array) \(counted(items, "item"))")
      }
      count = items
      shapes.append([1] + header.shape.dropFirst())
    }
    self.shapes = shapes
    self.count = count ?? 0
    let isLabel = !arrayNames.contains(labelName)
    guard isLabel, let header = headers[labelName] else {
      (labels, warnings) = (nil, [])
      return
    }
    guard header.isOfLabels else {
      labels = nil
      warnings = [
        Diagnostic(
          .warning,
          "array 'y' is \(header.elementType.name) \(header.shape) and not labels, which are integers "
            + "[N]: it is left out")
      ]
      return
    }
    guard header.shape[0] == self.count else {
      throw CompileError(
        .malformed,
        "\(arrayNames[0]) has \(counted(self.count, "item")), y \(counted(header.shape[0], "label"))"
      )
    }
    let y: Tensor
    switch source {
    case .files(let files): y = files[labelName]!.rows(0..<header.shape[0])
    case .archive:
      y = try ArrayFile.readArchive(name) { $0 == labelName }.arrays[labelName]!
    }
    (labels, warnings) = (try y.labels(), [])
  }

  /// The array of each input: that of its name, or for one input `x`, or the only array beside the labels. Labels that are asked
  /// for have their names.
  private static func arrayNames(
    of inputs: [ModelInput], among names: [String]
  ) throws(CompileError) -> [String] {
    let labels = inputs.filter(\.isLabels).map(\.name)
    var arrays = inputs.map(\.name)
    if inputs.count == labels.count + 1, let own = inputs.firstIndex(where: { !$0.isLabels }),
      !names.contains(inputs[own].name)
    {
      let others = names.filter { $0 != labelName && !labels.contains($0) }
      if others.contains("x") {
        arrays[own] = "x"
      } else if others.count == 1 {
        arrays[own] = others[0]
      }
    }
    for (input, array) in zip(inputs, arrays) where !names.contains(array) {
      let all = names.isEmpty ? "no others" : names.listed
      let purpose = input.isLabels ? "of labels" : "for input"
      throw CompileError(.usage, "has no array \(purpose) '\(input.name)', but \(all)")
    }
    return arrays
  }

  /// Forgets what was read of the elements.
  func unload() {
    if case .archive(let archive) = source { archive.unload() }
  }

  func state(at index: Int) throws(CompileError) -> SampleState {
    .usable(shapes: shapes, label: labels?[index])
  }

  func sample(at index: Int) throws(CompileError) -> Sample {
    var tensors: [String: Tensor] = [:]
    for (input, array) in zip(inputs, arrayNames) {
      let row: Tensor
      switch source {
      case .files(let files): row = files[array]!.rows(index..<(index + 1))
      case .archive(let archive): row = try archive.row(index, of: array)
      }
      tensors[input.name] = try input.fitted(row, of: "array '\(array)'", sample: index)
    }
    return Sample(inputs: tensors, label: labels?[index])
  }
}

/// The name of the array of labels.
private let labelName = "y"

/// The arrays of an archive, once they have been asked for.
private final class LoadedArchive: Sendable {
  private let path: String
  private let wanted: Set<String>
  private let arrays = Mutex<[String: Tensor]?>(nil)

  init(_ path: String, _ wanted: Set<String>) {
    self.path = path
    self.wanted = wanted
  }

  func unload() { arrays.withLock { $0 = nil } }

  func row(_ index: Int, of name: String) throws(CompileError) -> Tensor {
    let array = try arrays.withLock { (arrays) throws(CompileError) -> Tensor? in
      if let arrays { return arrays[name] }
      let loaded = try ArrayFile.readArchive(path, wanted.contains).arrays
      arrays = loaded
      return loaded[name]
    }
    guard let array, array.rank > 0, index < array.shape[0] else {
      throw CompileError(.inputOutput, "array '\(name)' has changed since it was opened")
    }
    return array.keeping([index], alongAxis: 0)
  }
}

extension ArrayHeader {
  /// Whether the elements are integers `[N]` or `[N, 1]`.
  fileprivate var isOfLabels: Bool {
    elementType.isInteger && (shape.count == 1 || (shape.count == 2 && shape[1] == 1))
  }
}

extension Tensor {
  /// The elements as numbers of classes.
  fileprivate func labels() throws(CompileError) -> [Int] {
    if elementType == .uint64 {
      for (index, label) in array(of: UInt64.self).enumerated() where label > UInt64(Int.max) {
        throw CompileError(.malformed, "label \(label) of item \(index) is beyond any class")
      }
    }
    return integers
  }
}
