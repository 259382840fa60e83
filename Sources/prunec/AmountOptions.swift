import CommandLineSupport

/// How much is to be removed.
struct AmountOptions: ParsableArguments {
  // What begins with a dash is a value too: a wrong one, of which validation says so.
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Fraction of the MACs to keep (default 0.5).", valueName: "fraction"))
  var macs: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Fraction of the parameters to keep.", valueName: "fraction"))
  var params: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Fraction of channels to remove in every group.", valueName: "fraction"))
  var ratio: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Time that a run may take, as measured here: a fraction of what it takes now, or a time such as \
      4ms, 800us or 0.1s.
      """, valueName: "time"))
  var latency: String?

  @Option(
    help: ArgumentHelp(
      "Threads to run on for --latency; every processor's by default.", valueName: "n"))
  var threads: Int?

  @Option(
    help: """
      Where channels are looked for: global, uniform or individual; individual with --calibration, else global.
      """)
  var scope: Scope?

  @Option(
    help: ArgumentHelp("Round channel counts to multiples: auto or a number.", valueName: "n"))
  var align: String = "auto"

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Most that a budget takes from a group.", valueName: "fraction"))
  var maxRatio: Double = Guards().maxRatio

  @Option(
    help: ArgumentHelp("Fewest channels a budget leaves (at most half of a group).", valueName: "n")
  )
  var minChannels: Int = Guards().minChannels

  @Option(
    help: ArgumentHelp(
      """
      Cut groups of this kind only: conv, residual, ffn, head, head-dim, embedding, recurrent or \
      other (repeatable).
      """, valueName: "kind"))
  var only: [GroupKind] = []

  @Option(
    help: ArgumentHelp(
      "Keep groups of a kind, or whose names match, whole (repeatable).", valueName: "pattern"))
  var keep: [String] = []

  @Option(
    help: ArgumentHelp(
      "Remove this fraction of groups of a kind, or that match (repeatable).",
      valueName: "pattern=fraction"))
  var ratioFor: [String] = []

  func validate() throws {
    guard [macs, params, ratio].compactMap({ $0 }).count + (latency == nil ? 0 : 1) <= 1 else {
      throw ValidationError("give one of --macs, --params, --ratio and --latency")
    }
    if let latency, LatencyTarget(latency) == nil {
      throw ValidationError(
        "--latency \(latency) is neither a fraction above 0 and up to 1 nor a time such as 4ms")
    }
    if let threads {
      guard latency != nil else { throw ValidationError("--threads is for --latency") }
      guard (1...1024).contains(threads) else {
        throw ValidationError("--threads must be between 1 and 1024")
      }
    }
    for (name, value) in [("macs", macs), ("params", params), ("max-ratio", maxRatio)] {
      if let value, !(0...1).contains(value) {
        throw ValidationError("--\(name) \(value) is not a fraction from 0 to 1")
      }
    }
    if let ratio, !(0..<1).contains(ratio) {
      throw ValidationError("--ratio \(ratio) is not a fraction from 0 to below 1")
    }
    guard (1...1 << 20).contains(minChannels) else {
      throw ValidationError("--min-channels \(minChannels) is not a positive number")
    }
  }

  func apply(to options: inout PruneOptions) throws {
    if let macs { options.budget = .macs(macs) }
    if let params { options.budget = .parameters(params) }
    if let ratio { options.budget = .ratio(ratio) }
    if let target = latency.flatMap(LatencyTarget.init) {
      options.budget = .latency(target, threads: threads)
    }
    options.scope = scope
    if align != "auto" {
      guard let multiple = Int(align), (1...1024).contains(multiple) else {
        throw ValidationError("--align \(align) is neither auto nor a number from 1 to 1024")
      }
      options.guards.alignment = .multiple(multiple)
    }
    options.guards.maxRatio = maxRatio
    options.guards.minChannels = minChannels
    options.guards.only = only
    options.guards.keep = keep
    for text in ratioFor {
      guard let equals = text.lastIndex(of: "="),
        let ratio = Double(text[text.index(after: equals)...]), (0..<1).contains(ratio)
      else { throw ValidationError("--ratio-for \(text) is not PATTERN=FRACTION") }
      options.guards.ratios.append((String(text[..<equals]), ratio))
    }
  }
}

extension Scope: ExpressibleByArgument {}
extension GroupKind: ExpressibleByArgument {}
