import ArgumentParser
import Foundation
import PrunecArrayFiles
import PrunecCommandLineSupport
import PrunecFiles
import PrunecGraphIR
import PrunecRuntime
import PrunecTensors

/// `prunec run MODEL`: executes a model.
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a model on arrays, or on made-up inputs.",
    discussion:
      "Prints type, shape and range of each output; -o writes them as .npz, or one as .npy.")

  @Argument(help: "The model (.onnx).")
  var model: String

  @OptionGroup(title: "Inputs")
  var inputs: InputOptions

  @Option(name: [.customShort("o"), .long], help: "Where the outputs go: an .npz or .npy file.")
  var output: String?

  @OptionGroup(title: "Execution")
  var execution: ExecutionOptions

  @OptionGroup(title: "Memory")
  var memory: MemoryOptions

  func validate() throws {
    guard let output else { return }
    guard output.hasSuffix(".npz") || output.hasSuffix(".npy") else {
      throw ValidationError("'\(output)' must end in .npz or .npy")
    }
  }

  func run() throws {
    let loaded = try execution.load(model)
    var files = CommandFiles(reading: loaded.files, inputs.given.files)
    if let output { try files.write(output) }
    let tensors = try inputs.tensors(for: loaded.graph)
    let results = try LocatedError.at(model) { () throws(CompileError) in
      try loaded.session.run(tensors)
    }
    let outputs = Array(zip(loaded.session.outputs.map(\.name), results))
    var table = Table(["output", "type", "shape", "minimum", "mean", "maximum"])
    for (name, tensor) in outputs {
      let range = Range(of: tensor)
      table.add([
        name, tensor.elementType.name, "\(tensor.shape)", OutputText.number(range?.minimum),
        OutputText.number(range?.mean), OutputText.number(range?.maximum),
      ])
    }
    if let output {
      try MappedFile.checkUnchanged()
      try LocatedError.at(output) { () throws(CompileError) in
        if output.hasSuffix(".npy") {
          guard outputs.count == 1 else {
            throw CompileError(.usage, "holds one array, the model has \(outputs.count) outputs")
          }
          try writeBytes(Array(ArrayFile.bytes(of: outputs[0].1)), to: output)
        } else {
          try writeBytes(Array(ArrayFile.archive(outputs.map { ($0.0, $0.1) })), to: output)
        }
      }
    }
    files.print(table.text)
  }
}

/// The least, the mean and the greatest of a tensor's elements.
private struct Range {
  var minimum = Double.infinity
  var maximum = -Double.infinity
  var mean = 0.0

  /// `nil` for a tensor without elements.
  init?(of tensor: Tensor) {
    var (sum, count) = (0.0, 0)
    tensor.forEachPieceOfFloats(ofUnit: 1) { piece in
      for number in piece.lazy.map(Double.init) {
        minimum = min(minimum, number)
        maximum = max(maximum, number)
        sum += number
      }
      count += piece.count
    }
    guard count > 0 else { return nil }
    mean = sum / Double(count)
  }
}
