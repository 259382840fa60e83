import Foundation
import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics
import PrunecTensors

/// Fits every layer to the channels that are left, on data: layer after layer, in order of execution, the weights of the small
/// network become those that bring its results closest to the original's.
///
///     y = Conv(mask(x), W)   =>   y = Conv(mask(x), W'),   W' = argmin |y0 - W' x'|^2 + r |W' - W|^2
///
/// where x' is what the layer really reads in the small network, whose earlier layers have been fitted already, and y0 what
/// it makes in the original. So a layer makes up for the errors of those before it (asymmetric reconstruction: He, Zhang, Sun,
/// "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017, section 3.2; there by batches of layers, and
/// without the pull towards the old weights). The last layer of a residual branch aims at what is missing in the sum,
///
///     y0 + skip0 - skip'
///
/// (the same, section 3.2.2, for branches of one network). Normalizations with a scale and bias of their own follow: each channel
/// gets the scale and bias that bring it closest to the original's. See `LinearFit` for the formula and its strength.
///
/// Channels that one layer alone reads are chosen anew when it is reached, with `reselect`: those that it misses least given what it
/// really reads (`ReselectableGroup`, `ChannelElimination`); their number stays.
///
/// Both networks run in one pass, section by section, on all batches (`StagedRun`).
///
/// Recurrent layers aim at what the original's weight makes of what the layer reads there (`LayerTarget`). Weights that are stored as
/// integers are fitted as numbers, then rounded with scales of their own (`QuantizedConstant`), and a note says what rounding costs.
///
/// Legal (worth it: masked and shrunk graph stay equal in any case) where
/// 1. the weight is a constant that only this layer uses (`FittableLayer`), in floating point or behind a DequantizeLinear;
/// 2. the layer is a convolution, transposed or not, and not depthwise, a matrix product, an Einsum of an activation with the
///    weight, or the part of an LSTM, GRU or RNN that reads its input, whose sequences are of equal length;
/// 3. its result, or of recurrent layers what it reads, is there in the original, too.
/// Samples that are made up differ from real ones, so that fits to them are pulled towards the old weights by `ridge` at least.
///
/// A fit that is no better than the old weights on samples that it has not seen is left out.
package struct ReconstructLayers: Pass {
  package static let name = "reconstruct-layers"
  package static let summary =
    "fit the layers of the small network to the original's results on data"
  package static let effect = Effect.masking

  private static let rows = PassOption(
    "rows", .integer(in: 1...1 << 30), default: LayerStatistics.rowLimit, valueName: "n",
    help: "Most positions of a layer's result that are looked at.")
  package static let seed = PassOption(
    "seed", .integer(in: 0...Int.max), default: 0, valueName: "n",
    help: "Seed of the choice of positions.")
  package static let reselect = PassOption(
    "reselect", .bool, default: true, valueName: "flag",
    help: "Choose channels that one layer alone reads anew, by what it reads in the small network.")
  package static let ridge = PassOption(
    "ridge", .number(in: 0...1e6), default: 0, valueName: "strength",
    help:
      "Least strength of the pull towards the old weights, relative to the mean square of what a layer reads."
  )
  package static let options: [any PassOptionDescription] = [
    CalibrationSets.option, rows, Self.seed, Self.reselect, ridge,
  ]

  private let data: String
  private let rowLimit: Int
  private let seed: Int
  private let reselects: Bool
  private let leastRidge: Double

  package init(options: inout OptionReader) throws(CompileError) {
    data = try options.value(CalibrationSets.option)
    rowLimit = try options.value(Self.rows)
    seed = try options.value(Self.seed)
    reselects = try options.value(Self.reselect)
    leastRidge = try options.value(Self.ridge)
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    // Sums over what the original reads take memory, and have been used.
    context.statistics = nil
    guard let reference = context.unmaskedGraph else { return }
    let batches = try context.calibration.batches(named: data, for: Self.name)
    let facts = try context.facts(of: graph)
    let coupling = try context.coupling(of: graph)
    let groups = reselects ? try Self.groups(of: graph, coupling, batches) : []
    let plan = try MaskedCut(graph, facts, coupling, whole: Set(groups.map(\.group)))
    guard !plan.cut.kept.isEmpty || !groups.isEmpty else { return }
    var small = graph
    plan.perform(on: &small)
    var reconstruction = try Reconstruction(
      original: reference, small: small,
      kept: context.keptOfUnmasked.cut(to: plan.cut.kept), batches, rowLimit: rowLimit,
      leastRidge: leastRidge, seed: UInt64(seed))
    for group in groups {
      reconstruction.selections[group.consumer] = Reconstruction.Selection(
        indices: group.indices, kept: group.kept)
    }
    for change in try reconstruction.run(context.progress) {
      change.perform(on: &graph, facts, plan.cut.kept)
    }
    if let note = Self.note(on: reconstruction.roundings) { context.warnings.append(note) }
    for group in groups {
      group.keep(reconstruction.selections[group.consumer]!.kept, in: &graph)
    }
  }
}

extension ReconstructLayers {
  /// The error that new integers of quantised weights make.
  private static func note(on roundings: [(name: String, error: Double)]) -> Diagnostic? {
    guard let worst = roundings.max(by: { $0.error < $1.error }) else { return nil }
    func percent(_ error: Double) -> String { String(format: "%.2g %%", 100 * error) }
    let mean = roundings.reduce(0) { $0 + $1.error } / Double(roundings.count)
    return Diagnostic(
      .note,
      "\(roundings.count) fitted weights are quantised anew, with scales of their own: rounding changes their layers' results by "
        + "\(percent(mean)) on average, and by \(percent(worst.error)) at most ('\(worst.name)')")
  }

  /// The groups that can be chosen anew, where layers' extents are those of the first batch.
  private static func groups(
    of graph: Graph, _ coupling: CouplingAnalysis, _ batches: some CalibrationBatches
  ) throws(CompileError) -> [ReselectableGroup] {
    guard let types = try batches.inputTypes() else { return [] }
    return ReselectableGroup.all(
      in: graph, try GraphFacts(of: graph.withInputs(types)), coupling)
  }
}

extension Reconstruction.Change {
  /// Makes the change, which is about the small network with all but `kept` taken out, in the masked one.
  func perform(on graph: inout Graph, _ facts: GraphFacts, _ kept: [Axis: [Int]]) {
    switch self {
    case .constant(let value, let tensor):
      let whole = graph[value].constant!
      let indices = whole.shape.indices.map {
        kept[Axis(value, $0)] ?? Array(0..<whole.shape[$0])
      }
      graph.setTensor(of: value, to: whole.replacing(indices, by: tensor))
    case .operand(let index, let node, let name, let tensor, let channels):
      // The number of a layer's results is that of its weight.
      guard let count = facts[channels.value].shape?[channels.index].fixedExtent else { return }
      let own = kept[channels] ?? Array(0..<count)
      let last = tensor.rank - 1
      let blocks = tensor.shape[last] / max(1, own.count)
      var indices = tensor.shape.map { Array(0..<$0) }
      indices[last] = BiasForm.indices(of: own, count: count, blocks: blocks)
      let whole = Tensor(
        zeros: tensor.elementType, shape: tensor.shape.dropLast() + [blocks * count])
      let bias = whole.replacing(indices, by: tensor)
      let added = graph.build(before: node, stem: name) { $0.addConstant(bias) }
      graph.setInput(index, of: node, to: added)
    }
  }
}
