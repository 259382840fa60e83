import Calibration
import PassKit

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
/// Both networks run in one pass, section by section, on all batches (`StagedRun`).
///
/// Legal (worth it: masked and shrunk graph stay equal in any case) where
/// 1. the weight is a constant in floating point that only this layer uses (`FittableLayer`);
/// 2. the layer is a convolution, transposed or not, or a matrix product, and not depthwise;
/// 3. its result is there in the original, too.
/// A fit that is no better than the old weights on samples that it has not seen is left out.
public struct ReconstructLayers: Pass {
  public static let name = "reconstruct-layers"
  public static let summary =
    "fit the layers of the small network to the original's results on data"
  public static let effect = Effect.masking

  private static let rows = PassOption(
    "rows", .integer(in: 1...1 << 30), default: LayerStatistics.rowLimit, valueName: "n",
    help: "Most positions of a layer's result that are looked at.")
  public static let seed = PassOption(
    "seed", .integer(in: 0...Int.max), default: 0, valueName: "n",
    help: "Seed of the choice of positions.")
  public static let options: [any PassOptionDescription] = [
    CalibrationSets.option, rows, Self.seed,
  ]

  private let data: String
  private let rowLimit: Int
  private let seed: Int

  public init(options: inout OptionReader) throws(CompileError) {
    data = try options.value(CalibrationSets.option)
    rowLimit = try options.value(Self.rows)
    seed = try options.value(Self.seed)
  }

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    guard let reference = context.unmaskedGraph else { return }
    let batches = try context.calibration.batches(named: data, for: Self.name)
    let facts = try context.facts(of: graph)
    let plan = try MaskedCut(graph, facts, try context.coupling(of: graph))
    guard !plan.cut.kept.isEmpty else { return }
    var small = graph
    plan.perform(on: &small)
    var reconstruction = try Reconstruction(
      original: reference, small: small,
      kept: context.keptOfUnmasked.cut(to: plan.cut.kept), batches, rowLimit: rowLimit,
      seed: UInt64(seed))
    for change in try reconstruction.run(context.progress) {
      change.perform(on: &graph, plan.cut.kept)
    }
  }
}

extension Reconstruction.Change {
  /// Makes the change, which is about the small network, in the masked one.
  fileprivate func perform(on graph: inout Graph, _ kept: [Axis: [Int]]) {
    switch self {
    case .constant(let value, let tensor):
      let whole = graph[value].constant!
      let indices = whole.shape.indices.map {
        kept[Axis(value, $0)] ?? Array(0..<whole.shape[$0])
      }
      graph.setTensor(of: value, to: whole.replacing(indices, by: tensor))
    case .operand(let index, let node, let name, let tensor, let channels, let count):
      var elements = [Float](repeating: 0, count: count)
      for (channel, element) in zip(kept[channels] ?? Array(0..<count), tensor.floats) {
        elements[channel] = element
      }
      let bias = Tensor(rounding: elements, to: tensor.elementType, shape: [elements.count])
      let added = graph.build(before: node, stem: name) { $0.addConstant(bias) }
      graph.setInput(index, of: node, to: added)
    }
  }
}
