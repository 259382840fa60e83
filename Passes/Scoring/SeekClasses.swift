import PrunecCalibration
import PrunecGraphIR
import PrunecPassKit
import PrunecSemantics

/// Changes made-up images until a classifier takes half of them for its classes, all classes alike (`ClassSearch`).
///
/// The graph stays as it is; passes behind run on the changed samples. Samples that are given, are not images alone, or would take
/// more runs than `effort` admits, and those of models that score no classes, stay as they are.
package struct SeekClasses: Pass {
  package static let name = "seek-classes"
  package static let summary = "change made-up images until a classifier takes them for its classes"
  package static let effect = Effect.annotating

  package static let effort = PassOption(
    "effort", OptionSyntax<Effort>.choice, default: .quick,
    help: "How often the model may be run: quick, normal or thorough.")
  package static let seed = PassOption(
    "seed", .integer(in: 0...Int.max), default: 0, valueName: "n", help: "Seed of the changes.")
  package static let options: [any PassOptionDescription] = [
    CalibrationSets.option, effort, Self.seed,
  ]

  private let data: String
  private let effort: Effort
  private let seed: Int

  package init(options: inout OptionReader) throws(CompileError) {
    data = try options.value(CalibrationSets.option)
    effort = try options.value(Self.effort)
    seed = try options.value(Self.seed)
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let batches = try context.calibration.batches(named: data, for: Self.name)
    guard let samples = batches as? SyntheticSamples else { return }
    let macs = Cost(of: graph, try context.facts(of: graph), context.inputShapes).macs
    guard
      let search = try ClassSearch(
        graph, samples, macs: macs, limit: effort.searchMACs, seed: UInt64(seed))
    else { return }
    context.calibration[data] = try search.run(context.progress)
    context.searchRuns = search.runCount
  }
}

extension Effort {
  /// Multiply-accumulate operations that the search may take.
  fileprivate var searchMACs: Double {
    switch self {
    case .quick: 8e11
    case .normal: 1e13
    case .thorough: 1e14
    }
  }

  /// Number of made-up images of a model that does `macs` operations for which the search can take all of its steps.
  package func searchedImages(macs: Int) -> Double {
    ClassSearch.affordableImages(macs: macs, limit: searchMACs)
  }
}
