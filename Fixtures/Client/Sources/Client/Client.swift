import Driver
import PrunecKit
import Runtime

/// Usage: Client MODEL OUT: prunes a model to half of its MACs, runs it, and prints the sizes.
@main
struct Client {
  static func main() throws {
    let (source, target) = (CommandLine.arguments[1], CommandLine.arguments[2])
    let (screen, stopwatch) = (Screen(), Stopwatch())

    var options = PruneOptions()
    options.budget = .macs(0.5)
    let result = try Pruner(options).prune(try importModel(path: source).model)
    try exportModel(result.model, to: target)

    let (before, after) = (result.report.before, result.report.after)
    screen.show("macs \(before.macs) \(after.macs)")
    screen.show("parameters \(before.parameters) \(after.parameters)")

    let graph = result.model.graph
    let outputs = try Session(graph).run(try SeededInputs().tensors(for: graph))
    screen.show("output " + outputs[0].shape.map(String.init).joined(separator: " "))
    precondition(stopwatch.elapsed > .zero)
  }
}
