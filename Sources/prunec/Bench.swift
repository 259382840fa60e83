import ArgumentParser
import Foundation
import PrunecCommandLineSupport
import PrunecFiles
import PrunecGraphIR
import PrunecRuntime
import PrunecTensors

/// `prunec bench MODEL`: how fast a model runs, and where the time goes.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Time a model, and each of its layers.",
    discussion: "Times are medians of repeated runs on inputs that are made up unless given.")

  @Argument(help: "The model (.onnx).")
  var model: String

  @OptionGroup(title: "Inputs")
  var inputs: InputOptions

  @OptionGroup(title: "Execution")
  var execution: ExecutionOptions

  @Option(help: "How often the model is run.")
  var runs: Int = 30

  @Flag(help: "Show every step.")
  var perLayer = false

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  @Option(help: "Write a trace for chrome://tracing to this file.")
  var profile: String?

  @OptionGroup(title: "Memory")
  var memory: MemoryOptions

  func validate() throws {
    guard (1...1_000_000).contains(runs) else {
      throw ValidationError("--runs must be between 1 and 1000000")
    }
  }

  func run() throws {
    let loaded = try execution.load(model)
    var files = CommandFiles(reading: loaded.files, inputs.given.files)
    if let profile { try files.write(profile) }
    let tensors = try inputs.tensors(for: loaded.graph)
    let (timing, steps, peak, memory) = try LocatedError.at(model) {
      () throws(CompileError) in
      let session = loaded.session
      let timing = try session.measure(tensors, runs: runs)
      let steps =
        perLayer || profile != nil || json
        ? try session.measure(tensors, runs: runs, perStep: true).steps : []
      return (timing, steps, session.peakOperationsPerSecond(), try session.memory(for: tensors))
    }
    let report = BenchReport(
      timing, steps, peak: peak, memory: memory, loaded.session, tensors)
    if let profile {
      try MappedFile.checkUnchanged()
      try LocatedError.at(profile) { () throws(CompileError) in
        try writeText(report.trace, to: profile)
      }
    }
    try files.print(json ? OutputText.json(report) : report.text(perLayer: perLayer))
  }
}

/// What `bench` has measured.
struct BenchReport: Encodable {
  struct Step: Encodable {
    var nodes: [String]
    var operations: [String]
    var kernel: String
    var medianMs: Double
    var gflops: Double
    var shareOfPeak: Double

    private enum CodingKeys: String, CodingKey {
      case nodes, operations, kernel, gflops
      case medianMs = "median_ms"
      case shareOfPeak = "share_of_peak"
    }
  }

  struct Input: Encodable {
    var name: String
    var type: String
    var shape: [Int]
  }

  var medianMs: Double
  var minimumMs: Double
  /// Half of the runs lie within these.
  var quartilesMs: [Double]
  var runs: Int
  var threads: Int
  var instructionSet: String
  var arenaBytes: Int
  /// The most that is in use at one time.
  var arenaLowerBound: Int
  var gflops: Double
  var shareOfPeak: Double
  /// What the model was run on.
  var inputs: [Input]
  var steps: [Step]
  /// Whether the model leaves extents of its inputs open.
  private var isOpen: Bool

  private enum CodingKeys: String, CodingKey {
    case runs, threads, gflops, inputs, steps
    case medianMs = "median_ms"
    case minimumMs = "minimum_ms"
    case quartilesMs = "quartiles_ms"
    case instructionSet = "instruction_set"
    case arenaBytes = "arena_bytes"
    case arenaLowerBound = "arena_lower_bound"
    case shareOfPeak = "share_of_peak"
  }

  init(
    _ timing: Timing, _ steps: [Timing.Step], peak: Double,
    memory: (arena: Int, lowerBound: Int), _ session: Session, _ tensors: [Tensor]
  ) {
    let sorted = timing.milliseconds.sorted()
    let work = Double(timing.operationCount)
    medianMs = timing.medianMilliseconds
    minimumMs = sorted[0]
    quartilesMs = [sorted[sorted.count / 4], sorted[sorted.count * 3 / 4]]
    runs = sorted.count
    threads = session.threadCount
    inputs = zip(session.inputs, tensors).map { input, tensor in
      Input(name: input.name, type: tensor.elementType.name, shape: tensor.shape)
    }
    isOpen = session.inputs.contains { input in
      input.type?.shape?.contains { $0.fixedExtent == nil } ?? true
    }
    instructionSet = Session.instructionSet
    arenaBytes = memory.arena
    arenaLowerBound = memory.lowerBound
    gflops = work / medianMs / 1e6
    shareOfPeak = work / medianMs * 1e3 / peak
    self.steps = steps.map { step in
      let rate = Double(step.operationCount) / max(step.medianMilliseconds, 1e-9) * 1e3
      return Step(
        nodes: step.nodes, operations: step.operations, kernel: step.kernel,
        medianMs: step.medianMilliseconds, gflops: rate / 1e9, shareOfPeak: rate / peak)
    }
  }

  func text(perLayer: Bool) -> String {
    func number(_ value: Double, _ digits: Int) -> String {
      String(format: "%.\(digits)f", value)
    }
    let share = number(shareOfPeak * 100, 0)
    func time(_ milliseconds: Double) -> String {
      OutputText.duration(milliseconds: milliseconds)
    }
    var lines = [
      "median \(time(medianMs)) of \(OutputText.counted(runs, "run")) (half within "
        + "\(time(quartilesMs[0])) to \(time(quartilesMs[1])), least \(time(minimumMs)))",
      "\(number(gflops, 1)) GFLOP/s, \(share) % of peak; \(OutputText.counted(threads, "thread")), "
        + "\(instructionSet); \(OutputText.bytes(arenaBytes)) for activations",
    ]
    if isOpen, !inputs.isEmpty {
      lines.append("timed for " + inputs.map { "\($0.name) \($0.shape)" }.joined(separator: ", "))
    }
    if perLayer {
      var table = Table(["layer", "kernel", "time", "share", "GFLOP/s", "of peak"])
      let total = steps.reduce(0) { $0 + $1.medianMs }
      for step in steps {
        let more = step.nodes.count > 1 ? " +\(step.nodes.count - 1)" : ""
        table.add([
          (step.nodes.first ?? "") + more, step.kernel, time(step.medianMs),
          number(step.medianMs / max(total, 1e-9) * 100, 1) + " %", number(step.gflops, 1),
          number(step.shareOfPeak * 100, 0) + " %",
        ])
      }
      lines += ["", table.text]
    }
    return lines.joined(separator: "\n")
  }

  /// In the Trace Event Format: one complete event a step, one after the other.
  var trace: String {
    var start = 0.0
    let events = steps.map { step -> [String: Any] in
      let duration = step.medianMs * 1000
      defer { start += duration }
      return [
        "name": step.nodes.first ?? "", "cat": step.kernel, "ph": "X", "ts": start,
        "dur": duration, "pid": 1, "tid": 1,
        "args": [
          "nodes": step.nodes.joined(separator: ", "),
          "operators": step.operations.joined(separator: ", "), "gflops": step.gflops,
        ],
      ]
    }
    let data = try? JSONSerialization.data(
      withJSONObject: ["traceEvents": events], options: [.sortedKeys])
    return data.map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}
