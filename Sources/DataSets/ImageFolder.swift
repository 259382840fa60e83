import PrunecGraphIR

/// A folder of PNG and JPEG images. Where it has sub-folders these are the classes, numbered from 0 in the order of their
/// names, with images at any depth; a folder without sub-folders has no labels.
struct ImageFolder: DataSet {
  let name: String
  let warnings: [Diagnostic]
  let hasLabels: Bool
  /// Relative to `name`.
  private let images: [(file: String, label: Int?)]
  private let inputName: String
  private let preparation: ImagePreparation

  var count: Int { images.count }

  init(
    _ folder: Folder, for inputs: [ModelInput], options: DataSetOptions
  ) throws(CompileError) {
    var (images, others): ([(file: String, label: Int?)], [String]) = ([], [])
    for file in folder.files {
      if Self.isImageFile(file) { images.append((file, nil)) } else { others.append(file) }
    }
    if !images.isEmpty, !folder.folders.isEmpty {
      throw CompileError(
        .malformed,
        "has images beside folders ('\(images[0].file)' and '\(folder.folders[0])'): folders are classes, "
          + "and every image belongs in one")
    }
    for (label, name) in folder.folders.enumerated() {
      try Self.collect(folder.path, name, label: label, depth: 0, &images, &others)
    }
    guard !images.isEmpty else {
      throw CompileError(.malformed, "has no samples: no .npz, .npy, .pb, .png or .jpg file")
    }
    if let labels = inputs.first(where: \.isLabels) {
      throw CompileError(.usage, "holds images, which have no array of labels '\(labels.name)'")
    }
    guard inputs.count == 1 else {
      throw CompileError(
        .usage,
        "holds images for one input, and the model has \(inputs.count): \(inputs.map(\.name).listed)"
      )
    }
    name = folder.path
    self.images = images
    hasLabels = !folder.folders.isEmpty
    inputName = inputs[0].name
    preparation = try ImagePreparation(for: inputs[0], options)
    warnings =
      others.isEmpty
      ? []
      : [
        Diagnostic(
          .warning,
          "\(counted(others.count, "file")) without the suffix of PNG or JPEG left out: \(others.listed)"
        )
      ]
  }

  private static func isImageFile(_ name: String) -> Bool {
    [".png", ".jpg", ".jpeg"].contains { name.lowercased().hasSuffix($0) }
  }

  private static func collect(
    _ root: String, _ path: String, label: Int, depth: Int,
    _ images: inout [(file: String, label: Int?)], _ others: inout [String]
  ) throws(CompileError) {
    // Links can lead around in circles.
    guard depth < 32 else {
      throw CompileError(.malformed, "'\(path)' is nested more than 32 deep")
    }
    let found = try CompileError.about("'\(path)'") { () throws(CompileError) in
      try Folder(root + "/" + path)
    }
    guard let found else { return }
    for file in found.files.map({ path + "/" + $0 }) {
      if isImageFile(file) { images.append((file, label)) } else { others.append(file) }
    }
    for folder in found.folders {
      try collect(root, path + "/" + folder, label: label, depth: depth + 1, &images, &others)
    }
  }

  /// Decodes the image: nothing less shows that its file is whole.
  func state(at index: Int) -> SampleState {
    do throws(CompileError) {
      _ = try Image(path: name + "/" + images[index].file)
      return .usable(shapes: [preparation.shape], label: images[index].label)
    } catch {
      return .damaged("'\(images[index].file)': \(error.diagnostics[0].message)")
    }
  }

  func sample(at index: Int) throws(CompileError) -> Sample {
    let (file, label) = images[index]
    let image = try CompileError.about("'\(file)':") { () throws(CompileError) in
      try Image(path: name + "/" + file)
    }
    return Sample(inputs: [inputName: preparation.tensor(of: image)], label: label)
  }
}
