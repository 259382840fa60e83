import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecRuntime
import PrunecSelection
import PrunecSemantics

/// Chooses the channels to remove and masks them: they are still there, but nothing downstream sees
/// them. Where a pipeline cuts a model several times, fractions of MACs and parameters, and guards, are about the model before the
/// first cut, ratios about what is there.
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
package struct MaskChannels: Pass {
  package static let name = "mask-channels"
  package static let summary = "choose the channels to remove and mask them"
  package static let effect = Effect.masking

  package static let macs = PassOption<Double?>(
    "macs", .fraction, valueName: "fraction",
    help: "Fraction of the MACs to keep (\(Budget.standardFraction) where no budget is given).")
  package static let params = PassOption<Double?>(
    "params", .fraction, valueName: "fraction", help: "Fraction of the parameters to keep.")
  package static let ratio = PassOption<Double?>(
    "ratio", .properFraction, valueName: "fraction",
    help: "Fraction of channels to remove in every group.")
  package static let peakMemory = PassOption<MemoryTarget?>(
    "peak-memory",
    OptionSyntax(
      "a fraction above 0 and up to 1, or a size such as 24MiB", parse: { MemoryTarget($0) },
      print: \.text),
    valueName: "size",
    help: """
      Memory that activations may take: a fraction of what they take now, or a size such as 512KiB, \
      24MiB or 1GiB.
      """)
  package static let latency = PassOption<LatencyTarget?>(
    "latency",
    OptionSyntax(
      "a fraction above 0 and up to 1, or a time such as 4ms", parse: { LatencyTarget($0) },
      print: \.text),
    valueName: "time",
    help: """
      Time that a run may take, as measured here: a fraction of what it takes now, or a time such as \
      4ms, 800us or 0.1s.
      """)
  package static let threads = PassOption<Int?>(
    "threads", .integer(in: Session.threadCounts), valueName: "n",
    help: "Threads to run on for a budget of time; every processor's where it is not given.")
  package static let measure = PassOption<String?>(
    "measure",
    OptionSyntax(
      "a command with {model} or {models} in it",
      parse: { TimingCommand.isCommand($0) ? $0 : nil }, print: { $0 }),
    valueName: "command",
    help: """
      Command that prints the milliseconds which the model at the path {model} takes, or those at {models}, a line \
      each: a budget of time counts by these.
      """)
  package static let device = PassOption<String?>(
    "device", .text, valueName: "name",
    help: "Name of the device that the command of --measure runs models on: times are kept by it.")
  package static let scope = PassOption(
    "scope", OptionSyntax<Scope>.choice, default: .global,
    help: """
      Where channels are looked for: in the whole model (global), alike in every group (uniform), or by \
      what cutting each group does to the outputs (individual).
      """)
  package static let damageExponent = PassOption(
    "damage-exponent", .number(in: 0.1...10), default: 1, valueName: "exponent",
    help: "Power of the damage that is weighed where the scope is individual.")
  package static let align = PassOption(
    "align",
    OptionSyntax(
      "auto or \(OptionSyntax<Int>.integer(in: Alignment.multiples).expectation)",
      parse: { Alignment($0) }, print: \.text),
    default: Guards().alignment, valueName: "n",
    help: "Round channel counts to multiples: auto or a number.")
  package static let maxRatio = PassOption(
    "max-ratio", .fraction, default: Guards().maxRatio, valueName: "fraction",
    help: "Most that a budget takes from a group.")
  package static let minChannels = PassOption(
    "min-channels", .integer(in: 1...1 << 20), default: Guards().minChannels, valueName: "n",
    help: "Fewest channels that a budget leaves (at most half of a group).")
  package static let only = PassOption(
    repeatable: "only", OptionSyntax<GroupKind>.choice, valueName: "kind",
    help: "Cut groups of this kind only: "
      + GroupKind.allCases.map(\.rawValue).joined(separator: ", ") + ".")
  package static let keep = PassOption(
    repeatable: "keep", .text, valueName: "pattern",
    help: "Keep groups of a kind, or whose names match, whole.")
  package static let ratioFor = PassOption(
    repeatable: "ratio-for", ratioOfPattern, valueName: "pattern=fraction",
    help: "Remove this fraction of groups of a kind, or whose names match.")
  package static let options: [any PassOptionDescription] = [
    macs, params, ratio, peakMemory, latency, threads, measure, device, Self.scope, damageExponent,
    align, maxRatio, minChannels, only, keep,
    ratioFor,
  ]

  /// A kind or a glob, and how much of what it matches goes.
  private static let ratioOfPattern = OptionSyntax<(pattern: String, ratio: Double)>(
    "a pattern, '=' and \(OptionSyntax.properFraction.expectation)",
    parse: { text in
      guard let equals = text.lastIndex(of: "="),
        let ratio = OptionSyntax.properFraction.parse(String(text[text.index(after: equals)...]))
      else { return nil }
      return (String(text[..<equals]), ratio)
    },
    print: { "\($0.pattern)=\(OptionSyntax.properFraction.print($0.ratio))" })

  private let budget: Budget
  private let scope: Scope
  private let guards: Guards
  private let exponent: Double

  package init(options: inout OptionReader) throws(CompileError) {
    let (macs, params) = try (options.value(Self.macs), options.value(Self.params))
    let (ratio, latency) = try (options.value(Self.ratio), options.value(Self.latency))
    let (memory, threads) = try (options.value(Self.peakMemory), options.value(Self.threads))
    let (measure, device) = try (options.value(Self.measure), options.value(Self.device))
    do throws(CompileError) {
      budget = try Budget(
        macs: macs, parameters: params, ratio: ratio, memory: memory, latency: latency,
        on: TimingDevice(threads: threads, command: measure, name: device))
    } catch { throw options.error(error.diagnostics[0].message) }
    scope = try options.value(Self.scope)
    exponent = try options.value(Self.damageExponent)
    var guards = Guards()
    guards.alignment = try options.value(Self.align)
    guards.maxRatio = try options.value(Self.maxRatio)
    guards.minChannels = try options.value(Self.minChannels)
    guards.only = try options.value(Self.only)
    guards.keep = try options.value(Self.keep)
    guards.ratios = try options.value(Self.ratioFor)
    self.guards = guards
  }

  /// The options that make a pass of these values.
  package static func settings(_ budget: Budget, _ scope: Scope, _ guards: Guards) -> [PassSetting]
  {
    let amount =
      switch budget {
      case .macs(let fraction): macs.settings(fraction)
      case .parameters(let fraction): params.settings(fraction)
      case .ratio(let fraction): ratio.settings(fraction)
      case .memory(let target): peakMemory.settings(target)
      case .latency(let target, .runtime(let count)):
        latency.settings(target) + threads.settings(count)
      case .latency(let target, .command(let command)):
        latency.settings(target) + measure.settings(command.text) + device.settings(command.device)
      }
    return amount + Self.scope.settings(scope) + align.settings(guards.alignment)
      + maxRatio.settings(guards.maxRatio) + minChannels.settings(guards.minChannels)
      + only.settings(guards.only) + keep.settings(guards.keep) + ratioFor.settings(guards.ratios)
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    let coupling = try context.coupling(of: graph)
    guard let scores = context.scores else { preconditionFailure("no scores") }
    let selection = try ChannelSelection(
      graph, facts, coupling, scores, guards: guards, damage: context.damage, exponent: exponent,
      shapes: context.inputShapes, uncut: context.uncut)
    context.uncut = selection.uncut
    if scope == .individual, context.damage == nil {
      throw CompileError(
        .usage, "mask-channels: scope individual needs measure-damage before it",
        notes: ["say --calibration FILE"])
    }
    let removed = try removed(graph, facts, coupling, selection, &context)
    // Damage was measured on the graph without masks.
    context.damage = nil
    let kept = coupling.keptIndices(removing: removed)
    let places = MaskPlace.all(in: graph, facts, kept)
    context.unmaskedGraph = context.unmaskedGraph ?? graph
    insert(places, kept, &graph)
  }

  private func removed(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis,
    _ selection: ChannelSelection, _ context: inout PassContext
  ) throws(CompileError) -> [Int: Set<Int>] {
    switch budget {
    case .macs, .parameters, .ratio:
      return try selection.removed(budget: budget, scope: scope)
    case .latency(let target, let device):
      let times = try times(graph, facts, coupling, selection, device, &context)
      defer {
        times.save()
        context.warnings += times.warnings
      }
      let found = try LatencyBudget(selection, target, scope: scope, times).removed()
      context.latency = found.report
      if let shortfall = found.report.shortfallWarning { context.warnings.append(shortfall) }
      return found.channels
    case .memory(let target):
      let shapes = context.inputShapes
      let before = try Session.memoryUse(of: context.original, shapes).arena
      let memory = MemoryBudget(selection, target, scope: scope, before: before) {
        (kept) throws(CompileError) in
        var cut = graph
        let indices = coupling.keptIndices(removing: selection.removed(keeping: kept))
        try GraphCut(graph, facts, keeping: indices).perform(on: &cut)
        return try Session.memoryUse(of: cut, shapes)
      }
      let found = try memory.removed()
      context.memory = found.report
      return found.channels
    }
  }

  private func times(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis,
    _ selection: ChannelSelection, _ device: TimingDevice, _ context: inout PassContext
  ) throws(CompileError) -> any MeasuredTimes {
    switch device {
    case .runtime(let threads):
      try ModelTimes(
        graph, facts, coupling, selection, original: context.original,
        shapes: context.inputShapes, threadCount: threads ?? Session.processorCount)
    case .command(let command):
      try CommandTimes(
        graph, facts, coupling, selection, original: context.original,
        shapes: context.inputShapes, command: command, progress: context.progress)
    }
  }

  private func insert(_ places: [MaskPlace], _ kept: [Axis: [Int]], _ graph: inout Graph) {
    guard !places.isEmpty else { return }
    graph.importOwnOperators()
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
