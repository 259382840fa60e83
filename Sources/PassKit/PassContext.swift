import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecSelection
import PrunecSemantics

/// What passes share while a pipeline runs: cached analyses, scores, and what is to be reported.
public struct PassContext: Sendable {
  /// The graph as it was imported, before any pass. IDs of its values stay valid in later graphs.
  public let original: Graph
  /// The functions that the model defines.
  public let functions: [Function]
  public var couplingOptions = CouplingAnalysis.Options()
  /// The shapes of the inputs for which costs are counted and times measured.
  public lazy var inputShapes = InputShapes(for: original)
  /// The samples that passes with data run on.
  public var calibration = CalibrationSets()
  /// Runs of the model on one sample in the search for classes.
  package var searchRuns = 0
  /// Receives how far a pass that takes long has come, from 0 to 1.
  public var progress: (@Sendable (Double) -> Void)?
  /// Sums over the inputs of layers on samples, before any channel is masked.
  package var statistics: LayerStatistics?
  /// Sums over what attention heads match and mix, and the revision of the graph that they are about.
  package var headMoments: (moments: HeadMoments, revision: UInt64)?
  /// Statistics that were collected before, by the keys that pipelines call them by.
  package var stored: [String: StoredStatistics] = [:]
  /// For axes of weights that make turned heads, by index the share that a dimension has of its head's power.
  package var rotatedPowers: [Axis: [Int: Float]] = [:]
  /// Effect of cutting single groups on the outputs.
  package var damage: DamageTable?
  /// The latest scores.
  package var scores: ChannelScores?
  /// Outcome of a budget of memory.
  public var memory: MemoryReport?
  /// Outcome of a budget of time.
  public var latency: LatencyReport?
  /// Warnings for the user, in order.
  public var warnings: [Diagnostic] = []
  /// The model as it was before channels were masked for the first time.
  package var uncut: UncutModel?
  /// The graph as it was before channels were masked for the first time: what compensation brings the small one closest to.
  package var unmaskedGraph: Graph?
  /// The indices that stay of the axes of `unmaskedGraph`.
  package private(set) var keptOfUnmasked: [Axis: [Int]] = [:]
  /// The graph as it was before channels were taken out, masks included; what the small graph must
  /// agree with.
  public var maskedGraph: Graph?
  /// The graph as it was before channels were taken out for the first time, masks included.
  package var uncutGraph: Graph?
  /// What the shrinking passes took out.
  package var shrinkage: Shrinkage?

  /// Follows a cut: what is known of axes is known of the indices that stay.
  package mutating func keep(_ kept: [Axis: [Int]]) {
    statistics = nil
    scores?.keep(kept)
    if unmaskedGraph != nil { keptOfUnmasked = keptOfUnmasked.cut(to: kept) }
    for (axis, indices) in kept {
      guard let powers = rotatedPowers[axis] else { continue }
      rotatedPowers[axis] = Dictionary(
        uniqueKeysWithValues: indices.enumerated().compactMap { now, before in
          powers[before].map { (now, $0) }
        })
    }
  }

  private var cachedFacts: (revision: UInt64, facts: GraphFacts)?
  private var cachedCoupling:
    (revision: UInt64, options: CouplingAnalysis.Options, coupling: CouplingAnalysis)?

  public init(original: Graph, functions: [Function] = []) {
    self.original = original
    self.functions = functions
  }

  /// The facts of `graph`, from the cache where it has not changed.
  public mutating func facts(of graph: Graph) throws(CompileError) -> GraphFacts {
    if let cachedFacts, cachedFacts.revision == graph.revision { return cachedFacts.facts }
    let facts = try GraphFacts(of: graph)
    cachedFacts = (graph.revision, facts)
    return facts
  }

  /// The coupling of `graph`, from the cache where it has not changed.
  public mutating func coupling(of graph: Graph) throws(CompileError) -> CouplingAnalysis {
    if let cached = cachedCoupling, cached.revision == graph.revision,
      cached.options == couplingOptions
    {
      return cached.coupling
    }
    let coupling = CouplingAnalysis(of: graph, try facts(of: graph), options: couplingOptions)
    cachedCoupling = (graph.revision, couplingOptions, coupling)
    return coupling
  }
}
