import PrunecGraphIR
import PrunecSelection

/// Outcome of a budget of time.
public struct LatencyReport: Sendable, Encodable {
  /// Medians, in milliseconds.
  public let beforeMs: Double
  public let afterMs: Double
  public let targetMs: Double
  public let device: TimingDevice

  private enum CodingKeys: String, CodingKey {
    case beforeMs = "before_ms"
    case afterMs = "after_ms"
    case targetMs = "target_ms"
    case threads, measure, device
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(beforeMs, forKey: .beforeMs)
    try container.encode(afterMs, forKey: .afterMs)
    try container.encode(targetMs, forKey: .targetMs)
    switch device {
    case .runtime(let threads): try container.encodeIfPresent(threads, forKey: .threads)
    case .command(let command):
      try container.encode(command.text, forKey: .measure)
      try container.encodeIfPresent(command.device, forKey: .device)
    }
  }
}

/// Times of parts that can be held against the time of the whole model.
package protocol MeasuredTimes: PartTimes {
  var device: TimingDevice { get }

  /// How long the original takes, in seconds.
  func measureWhole() throws(CompileError) -> Double

  /// Warnings for the user.
  var warnings: [Diagnostic] { get }

  /// Keeps what has been measured for later runs.
  func save()

  /// How long the original takes, and the model when group i keeps `kept[i]` channels, in seconds.
  func measure(keeping kept: [Int]) throws(CompileError) -> (before: Double, after: Double)
}

/// Meets a budget of time: searches widths by the times of the parts, measures the model that comes out, and searches
/// again with the limit corrected by what the times were wrong by.
///
/// Where the times are so wrong that this leads far below the target, channels are given back to all groups alike, by
/// nothing but measurements of the whole.
package struct LatencyBudget {
  private let selection: ChannelSelection
  private let target: LatencyTarget
  private let scope: Scope
  private let times: any MeasuredTimes

  /// Measured times vary: a model is looked for that takes at most this much more than the target,
  fileprivate static let tolerance = 1.01
  /// no less than this, which would give something away,
  private static let shortfall = 0.97
  /// and one that takes this much more is let pass in the end.
  private static let lastTolerance = 1.03
  /// What takes less than this part of the target has lost far too much.
  fileprivate static let farBelow = 0.93
  private static let attempts = 6
  private static let attemptsToGiveBack = 5

  package init(
    _ selection: ChannelSelection, _ target: LatencyTarget, scope: Scope,
    _ times: any MeasuredTimes
  ) {
    (self.selection, self.target, self.scope, self.times) = (selection, target, scope, times)
  }

  /// A network that has been measured.
  private struct Trial {
    var kept: [Int]
    var report: LatencyReport
    var loss: Double

    /// What meets the target with the least loss; before that, the fastest.
    func isBetter(than other: Trial?) -> Bool {
      guard let other else { return true }
      let tolerance = LatencyBudget.tolerance
      switch (report.isMet(within: tolerance), other.report.isMet(within: tolerance)) {
      case (true, true): return loss < other.loss
      case (false, false): return report.afterMs < other.report.afterMs
      case (let isMet, _): return isMet
      }
    }
  }

  /// The channels to remove. Throws a failed check that says how far it can go, where the budget cannot be met.
  package func removed() throws(CompileError) -> (channels: [Int: Set<Int>], report: LatencyReport)
  {
    let most = selection.mostCounts
    if most == selection.wholeCounts {
      // The original takes all of its time.
      let before = try times.measureWhole()
      if seconds(ofTotal: before) >= before { return ([:], report(before, before)) }
    }
    var best: Trial
    if let found = try searched(), found.report.isMet(within: Self.lastTolerance) {
      best = found
    } else {
      best = try trial(selection.leastCounts)
      guard best.report.isMet(within: Self.lastTolerance) else { throw unreachable(best.report) }
    }
    if best.report.isFarBelow, best.kept != most { best = try givenBack(to: best) }
    return (selection.removed(keeping: best.kept), best.report)
  }

  /// The best of some searches by the times of the parts.
  private func searched() throws(CompileError) -> Trial? {
    let most = selection.mostCounts
    let predicted = try times.seconds(keeping: selection.wholeCounts)
    let measured = try times.measureWhole()
    var limit = seconds(ofTotal: measured) * predicted / measured
    // The limits between which the right one has to be, as far as is known.
    var (low, high) = (0.0, predicted)
    var last: [Int]?
    var best: Trial?
    for _ in 0..<Self.attempts {
      guard let kept = try selection.counts(within: limit, scope: scope, times, from: last)
      else { break }
      let trial = try self.trial(kept)
      if trial.isBetter(than: best) { best = trial }
      let report = trial.report
      let reached = report.afterMs / report.targetMs
      if reached <= Self.tolerance, reached >= Self.shortfall || kept == most { break }
      if reached > 1 { high = min(high, limit) } else { low = max(low, limit) }
      last = report.isFarBelow ? nil : kept
      let foreseen = try times.seconds(keeping: kept)
      // As if time fell evenly from that of the whole model.
      let slope = (report.beforeMs - report.afterMs) / (predicted - foreseen)
      let step = (report.targetMs - report.afterMs) / slope
      limit = slope > 0 && step.isFinite ? max(foreseen + step, foreseen / 2) : foreseen / reached
      if low < high, !(limit > low && limit < high) { limit = (low + high) / 2 }
    }
    return best
  }

  /// The best of some networks between one that is far below the target and the whole.
  private func givenBack(to start: Trial) throws(CompileError) -> Trial {
    var best = start
    var (low, high) = (0.0, 1.0)
    for _ in 0..<Self.attemptsToGiveBack {
      let middle = (low + high) / 2
      let trial = try self.trial(selection.counts(ofTheWayFrom: start.kept) { _ in middle })
      let isMet = trial.report.isMet(within: Self.tolerance)
      if isMet { low = middle } else { high = middle }
      if trial.isBetter(than: best) { best = trial }
      if isMet, trial.report.afterMs >= trial.report.targetMs * Self.shortfall { break }
    }
    return best
  }

  private func trial(_ kept: [Int]) throws(CompileError) -> Trial {
    Trial(
      kept: kept, report: try report(kept),
      loss: try selection.loss(keeping: kept, scope: scope, times))
  }

  private func report(_ kept: [Int]) throws(CompileError) -> LatencyReport {
    if kept == selection.wholeCounts {
      let before = try times.measureWhole()
      return report(before, before)
    }
    let (before, after) = try times.measure(keeping: kept)
    return report(before, after)
  }

  private func report(_ before: Double, _ after: Double) -> LatencyReport {
    LatencyReport(
      beforeMs: before * 1000, afterMs: after * 1000, targetMs: seconds(ofTotal: before) * 1000,
      device: times.device)
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
      "the time cannot be brought from \(least.text(least.beforeMs)) to \(least.text(least.targetMs)): "
        + "\(least.text(least.afterMs)) is as far as it goes",
      notes: [selection.guardsText])
  }
}

extension LatencyReport {
  fileprivate func isMet(within tolerance: Double) -> Bool { afterMs <= targetMs * tolerance }

  fileprivate var isFarBelow: Bool { afterMs < targetMs * LatencyBudget.farBelow }

  /// What there is to say about a model that has become faster than was asked for.
  package var shortfallWarning: Diagnostic? {
    guard isFarBelow, afterMs < beforeMs else { return nil }
    return Diagnostic(
      .warning,
      "more has been removed than the time asks for: the model takes \(text(afterMs)), "
        + "and may take \(text(targetMs))",
      notes: ["widths may be too coarse, or other programs may have disturbed the measurements"])
  }

  /// A time of so many milliseconds, with three digits at least.
  package func text(_ milliseconds: Double) -> String {
    guard milliseconds >= 0, milliseconds < 1e12 else { return "\(milliseconds) ms" }
    func fixed(_ value: Double, _ digits: Int) -> String {
      let scale = [1.0, 10, 100, 1000][digits]
      let whole = String(Int((value * scale).rounded()))
      guard digits > 0 else { return whole }
      let padded = String(repeating: "0", count: max(0, digits + 1 - whole.count)) + whole
      return "\(padded.dropLast(digits)).\(padded.suffix(digits))"
    }
    if milliseconds >= 9.9995 { return fixed(milliseconds, 1) + " ms" }
    if milliseconds >= 0.9995 { return fixed(milliseconds, 3) + " ms" }
    let microseconds = milliseconds * 1000
    return fixed(microseconds, microseconds >= 99.95 ? 0 : microseconds >= 9.995 ? 1 : 2) + " µs"
  }
}
