import PrunecGraphIR
import PrunecSemantics
import PrunecTensors

/// Builds the passes that a pipeline names and runs them on a graph.
public struct PassManager: Sendable {
  /// What to do around the passes, for those who develop them.
  public struct Options: Sendable {
    /// Names of passes after which the graph is handed to `print`; `*` for all.
    public var printAfter: Set<String> = []
    /// Stop after so many passes.
    public var stopAfter: Int?
    /// Verify the graph after each pass.
    public var verifyEach = false
    /// Run the graph before and after each pass that must not change what it computes, and compare.
    public var checkEach = false
    public var seed: UInt64 = 0

    public init() {}
  }

  /// Time and effect of one pass.
  public struct Record: Sendable {
    public let pass: String
    public let seconds: Double
    public let nodesBefore: Int
    public let nodesAfter: Int
  }

  /// That two graphs compute the same: what passes that mask nothing claim by running.
  public struct Claim: Sendable {
    public let before: Graph
    public internal(set) var after: Graph
    /// Whether a shrinking pass is among those that lead from one to the other.
    public internal(set) var isShrunk: Bool
    /// Indices that stay of the axes of `before` that are cut on the way.
    package internal(set) var kept: [Axis: [Int]] = [:]
  }

  private indirect enum Step: Sendable {
    case pass(any Pass)
    case fixpoint([Step])
  }

  private var steps: [Step]
  private let options: Options
  private let registry: PassRegistry
  /// The names of the passes so far.
  private var seen: Set<String> = []
  /// One record for each pass that has run, in order.
  public private(set) var records: [Record] = []
  /// What has been claimed so far, one claim for each stretch of passes between those that mask.
  public private(set) var claims: [Claim] = []
  /// Whether the last claim goes on with the next pass.
  private var isClaimOpen = false
  /// Receives the name of a pass and the graph it left, for `printAfter`.
  public var print: (@Sendable (String, Graph) -> Void)?
  /// Receives the name of each pass before it runs.
  public var progress: (@Sendable (String) -> Void)?

  /// Throws a usage error for unknown passes, wrong options and broken ordering rules.
  public init(
    _ pipeline: Pipeline, registry: PassRegistry, options: Options = Options()
  ) throws(CompileError) {
    for name in options.printAfter.sorted() where name != "*" && registry.pass(named: name) == nil {
      throw CompileError(.usage, "there is no pass '\(name)' to print after")
    }
    steps = try Self.build(pipeline.steps, registry, &seen)
    self.options = options
    self.registry = registry
  }

  /// Makes `pipeline` what runs next. Records, claims and ordering rules go on from the passes before.
  ///
  /// Throws as `init` does.
  public mutating func proceed(to pipeline: Pipeline) throws(CompileError) {
    steps = try Self.build(pipeline.steps, registry, &seen)
  }

  private static func build(
    _ steps: [Pipeline.Step], _ registry: PassRegistry, _ seen: inout Set<String>
  ) throws(CompileError) -> [Step] {
    var built: [Step] = []
    for step in steps {
      switch step {
      case .fixpoint(let inner): built.append(.fixpoint(try build(inner, registry, &seen)))
      case .pass(let name, let options, let column):
        guard let type = registry.pass(named: name) else {
          throw CompileError(
            .usage, "there is no pass '\(name)'", at: .pipeline(column: column),
            notes: ["the passes are " + registry.passes.map { $0.name }.joined(separator: ", ")])
        }
        for rule in registry.rules where rule.pass == name && !seen.contains(rule.requires) {
          throw CompileError(
            .usage, "\(name) must come after \(rule.requires): \(rule.reason)",
            at: .pipeline(column: column))
        }
        seen.insert(name)
        var reader = try OptionReader(type, column: column, options: options)
        built.append(.pass(try type.init(options: &reader)))
        try reader.finish()
      }
    }
    return built
  }

  /// Runs the pipeline on `graph`.
  public mutating func run(
    on graph: inout Graph, _ context: inout PassContext
  ) throws(CompileError) {
    try run(steps, on: &graph, &context)
  }

  /// A fixpoint that does not settle has passes that undo each other.
  private static let fixpointLimit = 64

  private mutating func run(
    _ steps: [Step], on graph: inout Graph, _ context: inout PassContext
  ) throws(CompileError) {
    for step in steps {
      if let limit = options.stopAfter, records.count >= limit { return }
      switch step {
      case .pass(let pass): try run(pass, on: &graph, &context)
      case .fixpoint(let inner):
        var rounds = 0
        var revision: UInt64
        repeat {
          revision = graph.revision
          try run(inner, on: &graph, &context)
          rounds += 1
          if let limit = options.stopAfter, records.count >= limit { return }
          guard rounds < Self.fixpointLimit else {
            throw CompileError(
              .usage, "the passes of a fixpoint do not settle",
              notes: ["they still change the graph in round \(rounds)"])
          }
        } while graph.revision != revision
      }
    }
  }

  private mutating func claim(
    _ effect: Effect, before: Graph, after: Graph, _ shrinkage: Shrinkage?
  ) {
    if effect == .masking {
      isClaimOpen = false
      return
    }
    guard before.revision != after.revision else { return }
    if !isClaimOpen {
      claims.append(Claim(before: before, after: after, isShrunk: false))
      isClaimOpen = true
    }
    claims[claims.count - 1].after = after
    if effect == .shrinking {
      claims[claims.count - 1].isShrunk = true
      claims[claims.count - 1].kept = claims[claims.count - 1].kept.cut(
        to: shrinkage?.lastCut ?? [:])
    }
  }

  private mutating func run(
    _ pass: any Pass, on graph: inout Graph, _ context: inout PassContext
  ) throws(CompileError) {
    let type = Swift.type(of: pass)
    progress?(type.name)
    let before = graph
    let clock = ContinuousClock()
    let start = clock.now
    try pass.run(on: &graph, &context)
    let seconds = (clock.now - start) / .seconds(1)
    records.append(
      Record(
        pass: type.name, seconds: seconds, nodesBefore: before.nodeCount,
        nodesAfter: graph.nodeCount))
    claim(type.effect, before: before, after: graph, context.shrinkage)
    if options.verifyEach {
      try Verifier.verify(graph, rewriting: before, by: type.name)
    }
    if options.checkEach, before.revision != graph.revision {
      try check(type, before: before, after: graph, &context)
    }
    if options.printAfter.contains("*") || options.printAfter.contains(type.name) {
      print?(type.name, graph)
    }
  }

  /// Compares the graph before and after a pass. That the graph before cannot be run is no error of
  /// the pass's, but is said.
  private func check(
    _ pass: any Pass.Type, before: Graph, after: Graph, _ context: inout PassContext
  ) throws(CompileError) {
    let tolerance: Double
    switch pass.effect {
    case .preserving(let allowed): tolerance = allowed
    case .shrinking: tolerance = 1e-4
    case .masking, .annotating: return
    }
    let inputs: [Tensor]
    let expected: [Tensor]
    do {
      inputs = try SeededInputs(seed: options.seed).tensors(for: before)
      expected = try ReferenceEvaluator(before).run(inputs)
    } catch  where error.kind == .unsupported {
      let reason = error.diagnostics[0]
      context.warnings.append(
        Diagnostic(
          .warning, "\(pass.name) has not been checked: \(reason.message)", at: reason.location))
      return
    }
    let comparison = Comparison(try ReferenceEvaluator(after).run(inputs), expected: expected)
    guard comparison.maxRelative <= tolerance else {
      throw CompileError(
        .checkFailed,
        "\(pass.name) changed what the graph computes: relative error \(comparison.maxRelative)")
    }
  }
}
