import PrunecGraphIR
import PrunecONNXFormat
import PrunecTensors

/// ONNX's test data: a sample is a folder of `input_0.pb`, `input_1.pb` and so on, each a serialized `TensorProto` for the
/// input of its name, or of that number where it has none.
struct TestDataFolders: DataSet {
  let name: String
  private let inputs: [ModelInput]
  /// Relative to `name`; the folder itself where it is empty.
  private let folders: [String]

  var count: Int { folders.count }
  var hasLabels: Bool { false }
  var warnings: [Diagnostic] { [] }

  /// Opens a folder that holds such files, or folders with such files called `test_data_set_0` and so on, in the order of
  /// their numbers. `nil` for any other folder.
  init?(_ folder: Folder, for inputs: [ModelInput]) {
    name = folder.path
    self.inputs = inputs
    if folder.files.contains(where: { Self.number(in: $0, "input_", ".pb") != nil }) {
      folders = [""]
      return
    }
    let numbered = folder.folders.compactMap { name in
      Self.number(in: name, "test_data_set_", "").map { (number: $0, name: name) }
    }
    guard !numbered.isEmpty else { return nil }
    folders = numbered.sorted { $0.number < $1.number }.map(\.name)
  }

  private static func number(in name: String, _ prefix: String, _ suffix: String) -> Int? {
    guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return nil }
    return Int(name.dropFirst(prefix.count).dropLast(suffix.count))
  }

  func state(at index: Int) throws(CompileError) -> SampleState {
    let tensors = try tensors(at: index)
    return .usable(shapes: inputs.map { tensors[$0.name]!.tensor.shape }, label: nil)
  }

  func sample(at index: Int) throws(CompileError) -> Sample {
    let found = try tensors(at: index)
    var tensors: [String: Tensor] = [:]
    for input in inputs {
      guard let (file, tensor) = found[input.name] else { continue }
      tensors[input.name] = try input.fitted(tensor, of: "'\(file)'", sample: index)
    }
    return Sample(inputs: tensors)
  }

  /// The tensor of each input, and the file that it comes from.
  private func tensors(
    at index: Int
  ) throws(CompileError) -> [String: (file: String, tensor: Tensor)] {
    let prefix = folders[index].isEmpty ? "" : folders[index] + "/"
    guard let folder = try Folder(name + "/" + folders[index]) else {
      throw CompileError(.inputOutput, "'\(folders[index])' is no folder")
    }
    var tensors: [String: (file: String, tensor: Tensor)] = [:]
    for entry in folder.files {
      guard let number = Self.number(in: entry, "input_", ".pb") else { continue }
      let file = prefix + entry
      let (name, tensor) = try CompileError.about("'\(file)':") { () throws(CompileError) in
        try importTensor(path: folder.path(of: entry))
      }
      let named = inputs.first { $0.name == name && !name.isEmpty }
      guard let input = named ?? (inputs.indices.contains(number) ? inputs[number] : nil) else {
        throw CompileError(
          .usage, "'\(file)' is for input \(number), and the model has \(inputs.count)")
      }
      try input.check(tensor.shape, of: "'\(file)'")
      guard tensors.updateValue((file, tensor), forKey: input.name) == nil else {
        throw CompileError(.malformed, "'\(file)' is a second tensor for input '\(input.name)'")
      }
    }
    for input in inputs where tensors[input.name] == nil {
      let place = folders[index].isEmpty ? "" : "'\(folders[index])' "
      let purpose = input.isLabels ? "of labels" : "for input"
      throw CompileError(.usage, "\(place)has no tensor \(purpose) '\(input.name)'")
    }
    return tensors
  }
}
