import ArgumentParser
import Foundation
import PrunecArrayFiles
import PrunecCommandLineSupport
import PrunecGraphIR
import PrunecONNXFormat
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
    if let output { try inputs.given.refuseToReplace(loaded.files, by: output, option: "-o") }
    let tensors = try inputs.tensors(for: loaded.graph)
    let results = try LocatedError.at(model) { () throws(CompileError) in
      try loaded.session.run(tensors)
    }
    let outputs = Array(zip(loaded.session.outputs.map(\.name), results))
    var table = Table(["output", "type", "shape", "minimum", "mean", "maximum"])
    for (name, tensor) in outputs {
      let numbers = tensor.floats.map(Double.init)
      let mean = numbers.isEmpty ? nil : numbers.reduce(0, +) / Double(numbers.count)
      table.add([
        name, tensor.elementType.name, "\(tensor.shape)", OutputText.number(numbers.min()),
        OutputText.number(mean), OutputText.number(numbers.max()),
      ])
    }
    if let output {
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
    print(table.text)
  }
}
