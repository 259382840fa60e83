import ArgumentParser
import PrunecCommandLineSupport

/// The command `prunec`.
@main
struct Prunec: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prunec",
    abstract: "The pruning compiler for ONNX: makes a model smaller and proves the result.",
    usage: """
      prunec MODEL -o OUT [--macs F | --params F | --ratio R | --max-drop P --eval SET] [options]
      prunec inspect MODEL [--json]
      prunec sensitivity MODEL [--calibration SET] [--html FILE]
      prunec calibrate MODEL --calibration SET [--stats FILE...] -o OUT.stats
      prunec run MODEL [--input NAME=FILE.npy] [-o OUT.npz]
      prunec bench MODEL [--per-layer]
      prunec verify MODEL MODEL
      prunec evaluate MODEL --data SET.npz
      """,
    version: "0.1.0",
    subcommands: [
      Prune.self, Inspect.self, SensitivityCommand.self, Calibrate.self, Run.self, Bench.self,
      Verify.self, Evaluate.self,
    ],
    defaultSubcommand: Prune.self)

  static func main() { ExitStatus.run(Prunec.self) }
}
