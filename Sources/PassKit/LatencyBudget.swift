/// What a budget of time came to.
public struct LatencyReport: Sendable, Encodable {
  /// Medians, in milliseconds.
  public let beforeMs: Double
  public let afterMs: Double
  public let targetMs: Double
  public let threads: Int

  private enum CodingKeys: String, CodingKey {
    case beforeMs = "before_ms"
    case afterMs = "after_ms"
    case targetMs = "target_ms"
    case threads
  }
}

/// Times of parts that can be held against the time of the whole model.
public protocol MeasuredTimes: PartTimes {
  var threadCount: Int { get }

  /// How long the original takes, in seconds.
  func measureWhole() throws(CompileError) -> Double

  /// How long the original takes, and the model when group i keeps `kept[i]` channels, in seconds.
  func measure(keeping kept: [Int]) throws(CompileError) -> (before: Double, after: Double)
}

/// Meets a budget of time: searches widths by the times of the parts, measures the model that comes out, and searches
/// again with the limit corrected by what the times were wrong by.
public struct LatencyBudget {
  private let selection: ChannelSelection
  private let target: LatencyTarget
  private let scope: Scope
  private let times: any MeasuredTimes

  /// Measured times vary: a model is looked for that takes at most this much more than the target,
  private static let tolerance = 1.01
  /// no less than this, which would give something away,
  private static let shortfall = 0.97
  /// and one that takes this much more is let pass in the end.
  private static let lastTolerance = 1.03
  private static let attempts = 5

  public init(
    _ selection: ChannelSelection, _ target: LatencyTarget, scope: Scope,
    _ times: any MeasuredTimes
  ) {
    (self.selection, self.target, self.scope, self.times) = (selection, target, scope, times)
  }

  /// The channels to remove. Throws a failed check that says how far it can go, where the budget cannot be met.
  public func removed() throws(CompileError) -> (channels: [Int: Set<Int>], report: LatencyReport) {
    let whole = selection.wholeCounts
    let predicted = try times.seconds(keeping: whole)
    let measured = try times.measureWhole()
    var limit = seconds(ofTotal: measured) * predicted / measured
    var last: [Int]?
    var best: (kept: [Int], report: LatencyReport)?
    for _ in 0..<Self.attempts {
      guard let kept = try selection.counts(within: limit, scope: scope, times, from: last)
      else { break }
      last = kept
      let report = try report(kept)
      if report.isBetter(than: best?.report, within: Self.tolerance) { best = (kept, report) }
      let reached = report.afterMs / report.targetMs
      if reached <= Self.tolerance, reached >= Self.shortfall || kept == whole { break }
      let foreseen = try times.seconds(keeping: kept)
      // As if time fell evenly from that of the whole model.
      let slope = (report.beforeMs - report.afterMs) / (predicted - foreseen)
      let step = (report.targetMs - report.afterMs) / slope
      limit = slope > 0 && step.isFinite ? max(foreseen + step, foreseen / 2) : foreseen / reached
    }
    if let best, best.report.isMet(within: Self.lastTolerance) {
      return (selection.removed(keeping: best.kept), best.report)
    }
    let least = try report(selection.leastCounts)
    guard least.isMet(within: Self.lastTolerance) else { throw unreachable(least) }
    return (selection.removed(keeping: selection.leastCounts), least)
  }

  private func report(_ kept: [Int]) throws(CompileError) -> LatencyReport {
    let (before, after) = try times.measure(keeping: kept)
    return LatencyReport(
      beforeMs: before * 1000, afterMs: after * 1000, targetMs: seconds(ofTotal: before) * 1000,
      threads: times.threadCount)
  }

  private func seconds(ofTotal whole: Double) -> Double {
    switch target {
    case .fraction(let fraction): fraction * whole
    case .seconds(let seconds): seconds
    }
  }

  private func unreachable(_ least: LatencyReport) -> CompileError {
    CompileError(
      .checkFailed,
      "the time cannot be brought from \(text(least.beforeMs)) to \(text(least.targetMs)): "
        + "\(text(least.afterMs)) is as far as it goes",
      notes: [selection.guardsText])
  }

  private func text(_ milliseconds: Double) -> String {
    let thousandths = String(Int((milliseconds * 1000).rounded()))
    let padded = String(repeating: "0", count: max(0, 4 - thousandths.count)) + thousandths
    return "\(padded.dropLast(3)).\(padded.suffix(3)) ms"
  }
}

extension LatencyReport {
  fileprivate func isMet(within tolerance: Double) -> Bool { afterMs <= targetMs * tolerance }

  /// The slowest that meets the target has lost least; before that, the fastest.
  fileprivate func isBetter(than other: LatencyReport?, within tolerance: Double) -> Bool {
    guard let other else { return true }
    switch (isMet(within: tolerance), other.isMet(within: tolerance)) {
    case (true, true): return afterMs > other.afterMs
    case (false, false): return afterMs < other.afterMs
    case (let isMet, _): return isMet
    }
  }
}
