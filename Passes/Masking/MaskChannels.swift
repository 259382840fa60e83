import PassKit
import Runtime

/// Chooses the channels to remove and masks them: they are still there, but nothing downstream sees
/// them.
///
///     y = Conv(x, W)         y = Conv(x, W)
///     z = Conv(y, V)    =>   m = ai.prunec.Mask <axis = 1, keep = [0, 2, 5]> (y)
///                            z = Conv(m, V)
///
/// A mask goes before every node that sums over a cut axis of computed data (so that the removed
/// channels add zero), on the weight where no mask could take a channel out of what it is multiplied with
/// (the state of a recurrent node), and before every node that gathers a cut axis otherwise (so that
/// means, variances and extrema are those of the kept channels). Nowhere else does a removed channel
/// meet a kept one: the coupling
/// has made sure of that.
///
/// Options: one of `macs=F`, `params=F` (fraction to keep), `ratio=R` (fraction of each group's
/// channels to remove), `latency=T` (a fraction of the time that the model takes to run, or a time such as 4ms, on
/// `threads=N` threads); default `macs=0.5`. `scope` (global, uniform), `align` (auto or a number),
/// `max-ratio`, `min-channels`, and any number of `only=KIND`, `keep=PATTERN`, `ratio-for=PATTERN=R`,
/// a pattern being a kind of groups or a glob of names.
public struct MaskChannels: Pass {
  public static let name = "mask-channels"
  public static let summary = "choose the channels to remove and mask them"
  public static let effect = Effect.masking

  private let budget: Budget
  private let scope: Scope
  private let guards: Guards
  private let exponent: Double

  public init(options: inout OptionReader) throws(CompileError) {
    var budgets: [Budget] = []
    if let fraction = try options.double("macs", in: 0...1) { budgets.append(.macs(fraction)) }
    if let fraction = try options.double("params", in: 0...1) {
      budgets.append(.parameters(fraction))
    }
    if let ratio = try options.double("ratio", in: 0...1) { budgets.append(.ratio(ratio)) }
    let threads = try options.int("threads", in: 1...1024)
    if let text = options.string("latency") {
      guard let target = LatencyTarget(text) else {
        throw options.error("latency=\(text) is neither a fraction up to 1 nor a time such as 4ms")
      }
      budgets.append(.latency(target, threads: threads))
    } else if threads != nil {
      throw options.error("threads is for latency")
    }
    guard budgets.count <= 1 else {
      throw options.error("give one of macs, params, ratio and latency")
    }
    budget = budgets.first ?? .macs(0.5)
    exponent = try options.double("damage-exponent", in: 0.1...10) ?? 1
    scope = try options.choice("scope", Scope.self) ?? .global
    var guards = Guards()
    if let text = options.string("align"), text != "auto" {
      guard let multiple = Int(text), (1...1024).contains(multiple) else {
        throw options.error("align=\(text) is neither auto nor a number from 1 to 1024")
      }
      guards.alignment = .multiple(multiple)
    }
    guards.maxRatio = try options.double("max-ratio", in: 0...1) ?? guards.maxRatio
    guards.minChannels = try options.int("min-channels", in: 1...1 << 20) ?? guards.minChannels
    for text in options.strings("only") {
      guard let kind = GroupKind(rawValue: text) else {
        throw options.error("only=\(text) is no kind of groups")
      }
      guards.only.append(kind)
    }
    guards.keep = options.strings("keep")
    for text in options.strings("ratio-for") {
      guard let equals = text.lastIndex(of: "="),
        let ratio = Double(text[text.index(after: equals)...]), (0...1).contains(ratio)
      else { throw options.error("ratio-for=\(text) is not PATTERN=RATIO") }
      guards.ratios.append((String(text[..<equals]), ratio))
    }
    self.guards = guards
  }

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    let coupling = try context.coupling(of: graph)
    guard let scores = context.scores else { preconditionFailure("no scores") }
    let selection = try ChannelSelection(
      graph, facts, coupling, scores, guards: guards, damage: context.damage, exponent: exponent,
      shapes: context.inputShapes)
    if scope == .individual, context.damage == nil {
      throw CompileError(
        .usage, "mask-channels: scope individual needs measure-damage before it",
        notes: ["say --calibration FILE"])
    }
    let removed: [Int: Set<Int>]
    if case .latency(let target, let threads) = budget {
      let times = try ModelTimes(
        graph, facts, coupling, selection, original: context.original,
        shapes: context.inputShapes, threadCount: threads ?? Session.processorCount)
      defer {
        times.save()
        context.warnings += times.warnings
      }
      let found = try LatencyBudget(selection, target, scope: scope, times).removed()
      (removed, context.latency) = (found.channels, found.report)
      if let shortfall = found.report.shortfallWarning { context.warnings.append(shortfall) }
    } else {
      removed = try selection.removed(budget: budget, scope: scope)
    }
    let kept = coupling.keptIndices(removing: removed)
    let places = MaskPlace.all(in: graph, facts, kept)
    context.unmaskedGraph = graph
    insert(places, kept, &graph)
  }

  private func insert(_ places: [MaskPlace], _ kept: [Axis: [Int]], _ graph: inout Graph) {
    guard !places.isEmpty else { return }
    if graph.opsetVersion(of: Mask.domain) == nil {
      graph.opsetImports.append(OpsetImport(Mask.domain, 1))
    }
    var masks: [MaskPlace.Key: ValueID] = [:]
    for place in places {
      // An operand that is summed over along two axes is masked by one mask on the other.
      let operand = graph[place.node].inputs[place.operand]!
      let key = MaskPlace.Key(
        axis: Axis(operand, place.key.axis.index), fill: place.key.fill, blocks: place.key.blocks,
        zero: place.key.zero)
      if masks[key] == nil {
        masks[key] = insertMask(key, keep: kept[place.key.axis]!, for: place.node, &graph)
      }
      graph.setInput(place.operand, of: place.node, to: masks[key]!)
    }
  }

  /// Masks a value, which `reader` reads. The mask stands for the node that computes the value, if one
  /// does, and goes after it.
  private func insertMask(
    _ key: MaskPlace.Key, keep: [Int], for reader: NodeID, _ graph: inout Graph
  ) -> ValueID {
    let value = graph[key.axis.value]
    let point: InsertionPoint =
      if let node = value.definingNode { .after(node) } else {
        .before(Array(graph.nodes)[0])
      }
    let attributes =
      [
        Attribute("axis", key.axis.index), Attribute("keep", keep),
        Attribute("fill", key.fill.rawValue),
      ] + (key.blocks == 1 ? [] : [Attribute("blocks", key.blocks)])
      + (key.zero == 0 ? [] : [Attribute("zero", key.zero)])
    return graph.build(
      at: point, standingFor: [value.definingNode ?? reader], stem: value.name
    ) {
      $0.add(
        "Mask", domain: Mask.domain, [key.axis.value], attributes, suffix: "masked",
        resultType: value.type)
    }
  }
}
