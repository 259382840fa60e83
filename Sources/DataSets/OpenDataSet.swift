import Foundation
import PrunecGraphIR

/// Opens the samples at `path` for a model's inputs. The path leads to one of
///
/// - an `.npz` archive with an array for each input, and labels `y`;
/// - an `.npy` file for the one input;
/// - a folder of such files, each a part of the set, or of one `.npy` file for each input;
/// - a folder of ONNX's test data: `test_data_set_0/input_0.pb` and so on, or the `.pb` files themselves;
/// - a folder of PNG and JPEG images, whose sub-folders are classes.
///
/// Throws a usage error where the samples do not fit the inputs, a malformed error where a file breaks its format, and an
/// input/output error where one cannot be read. The errors name what lies within `path`, not the path.
public func openDataSet(
  _ path: String, for inputs: [ModelInput], options: DataSetOptions = DataSetOptions()
) throws(CompileError) -> any DataSet {
  guard !inputs.isEmpty else {
    throw CompileError(.usage, "holds samples, and the model has no inputs")
  }
  let set = try dataSet(at: path, for: inputs, options: options)
  guard set.count > 0 else { throw CompileError(.malformed, "has no samples") }
  return set
}

private func dataSet(
  at path: String, for inputs: [ModelInput], options: DataSetOptions
) throws(CompileError) -> any DataSet {
  if let folder = try Folder(path) {
    if let folders = TestDataFolders(folder, for: inputs) {
      try options.checkUnused(by: "tensors")
      return folders
    }
    if folder.files.contains(where: ArrayPart.isArrayFile) {
      try options.checkUnused(by: "arrays")
      return try ArrayFolder(folder, for: inputs)
    }
    return try ImageFolder(folder, for: inputs, options: options)
  }
  guard ArrayPart.isArrayFile(path) else {
    throw CompileError(
      .usage,
      "is no set of samples: an .npz or .npy file, or a folder of those, of .pb files or images")
  }
  try options.checkUnused(by: "arrays")
  return try ArrayPart(path, for: inputs)
}
