import Foundation
import PrunecGraphIR
import PrunecSelection

/// Search for the smallest model whose loss is within a bound, by bisection over the fraction of the MACs that is kept.
///
///     while let fraction = search.next { search.add(candidate(fraction)) }
///     let best = try search.best()
///
/// The loss is taken to grow as the model shrinks. Where it does not, the result is within the bound all the same, but may not be
/// the smallest.
public struct BoundSearch: Sendable {
  /// A cut that has been tried.
  public struct Candidate: Sendable, Codable, Hashable {
    /// The fraction of the MACs that was asked for.
    public let budget: Double
    /// The MACs that were reached; `nil` where the model cannot be cut so far.
    public var macs: Int?
    /// The value of the metric, where the loss is one of a metric.
    public var value: Double?
    /// The loss, in the unit of the bound; `nil` where there is no model.
    public var loss: Double?
    /// Why there is none.
    public var failure: String?

    public init(
      budget: Double, macs: Int? = nil, value: Double? = nil, loss: Double? = nil,
      failure: String? = nil
    ) {
      (self.budget, self.macs, self.value, self.loss) = (budget, macs, value, loss)
      self.failure = failure
    }
  }

  /// Most candidates that are tried.
  public static let candidateLimit = 8
  /// The fraction of the MACs below which a difference is not looked for.
  public static let resolution = 0.01

  public let bound: LossBound
  /// The MACs of the original.
  public let macs: Int
  /// In the order in which they were tried.
  public private(set) var candidates: [Candidate] = []

  public init(_ bound: LossBound, macs: Int) {
    self.bound = bound
    self.macs = macs
  }

  private func isWithin(_ candidate: Candidate) -> Bool {
    // Losses are differences of numbers that are rounded.
    candidate.macs != nil && candidate.loss.map { $0 <= bound.limit + 1e-9 } ?? false
  }

  /// The fraction that a candidate has reached.
  private func fraction(_ candidate: Candidate) -> Double {
    candidate.macs.map { Double($0) / Double(max(1, macs)) } ?? candidate.budget
  }

  /// The fraction to try next, to three digits; `nil` where the search is over.
  public var next: Double? {
    guard candidates.count < Self.candidateLimit else { return nil }
    let (within, beyond) = (candidates.filter(isWithin), candidates.filter { !isWithin($0) })
    let high = within.map { min($0.budget, fraction($0)) }.min() ?? 1
    let low = beyond.map(\.budget).max() ?? 0
    guard high - low >= Self.resolution else { return nil }
    let middle = ((low + high) / 2 * 1000).rounded() / 1000
    return candidates.contains { $0.budget == middle } ? nil : middle
  }

  /// Takes note of what came of the latest fraction.
  public mutating func add(_ candidate: Candidate) { candidates.append(candidate) }

  /// The smallest candidate within the bound so far.
  public var smallest: Candidate? {
    candidates.filter(isWithin).min { ($0.macs!, $0.loss!) < ($1.macs!, $1.loss!) }
  }

  /// The smallest candidate within the bound. Throws a failed check that names the one with the least loss where there is none.
  public func best() throws(CompileError) -> Candidate {
    if let smallest { return smallest }
    let least = candidates.filter { $0.loss != nil }.min { $0.loss! < $1.loss! }
    guard let least, let loss = least.loss else {
      throw CompileError(
        .checkFailed, "the model cannot be cut at all",
        notes: candidates.last?.failure.map { [$0] } ?? [])
    }
    throw CompileError(
      .checkFailed,
      "no cut has \(bound.text): the best that was tried keeps "
        + "\(ChannelSelection.percent(fraction(least))) of the MACs, and has \(bound.lossText(loss))"
    )
  }

  /// The search as reports tell it; `before` is the value of the original.
  public func report(before: Double?) -> BoundReport {
    BoundReport(
      bound: bound, macs: macs, before: before, chosen: smallest?.budget, candidates: candidates)
  }
}

/// The most that a model may lose by being pruned.
public struct LossBound: Sendable, Hashable, Encodable {
  /// The measure that is bounded, a drop of which or which itself is the loss: `top-1`, `divergence`.
  public let measure: String
  public let limit: Double
  /// The unit of the loss, empty for divergence.
  public let unit: String

  /// A bound to the mean divergence from the original's outputs (`OutputDivergence`).
  public static func divergence(_ limit: Double) -> LossBound {
    LossBound(measure: "divergence", limit: limit, unit: "")
  }

  /// A bound to the loss of a metric, in the unit of its scale.
  public static func drop(of metric: some Metric, _ limit: Double) -> LossBound {
    LossBound(measure: metric.name, limit: limit, unit: metric.scale.lossUnit)
  }

  private var isDrop: Bool { !unit.isEmpty }

  /// As it is printed: `a loss of top-1 of at most 0.50 points`.
  public var text: String { "a \(name) of at most \(lossText(limit))" }

  /// Name of the loss.
  var name: String { isDrop ? "loss of \(measure)" : measure }

  /// A loss with its unit.
  public func lossText(_ loss: Double) -> String {
    isDrop ? String(format: "%.2f ", loss) + unit : String(format: "%.4g", loss)
  }
}

/// A search within a bound, as reports tell it.
public struct BoundReport: Sendable, Encodable {
  public let bound: LossBound
  /// The MACs of the original.
  public let macs: Int
  /// The value of the original, where a metric is bounded.
  public let before: Double?
  /// The budget of the candidate that is the result.
  public let chosen: Double?
  public let candidates: [BoundSearch.Candidate]
}
