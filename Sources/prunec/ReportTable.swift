import Foundation
import PrunecCommandLineSupport
import PrunecDriver
import PrunecPassKit
import PrunecSelection

/// The report as a table for people.
struct ReportTable {
  private let report: PruneReport

  init(_ report: PruneReport) { self.report = report }

  var text: String {
    [sizes, layers, target, check, statistics, agreement, accuracy, candidates].filter {
      !$0.isEmpty
    }.joined(
      separator: "\n\n")
  }

  private var sizes: String {
    var table = Self.sizes(report.before, report.after, bytes: "file")
    if let memory = report.memory {
      table.add([
        "peak memory", OutputText.bytes(memory.beforeBytes), OutputText.bytes(memory.afterBytes),
        OutputText.percent(memory.afterBytes, of: memory.beforeBytes),
      ])
    }
    if let latency = report.latency {
      table.add([
        "time", latency.text(latency.beforeMs), latency.text(latency.afterMs),
        String(format: "%.1f %%", 100 * latency.afterMs / latency.beforeMs),
      ])
    }
    return table.text
  }

  /// Sizes of two models; `bytes` names the size in bytes.
  static func sizes(_ before: PruneReport.Size, _ after: PruneReport.Size, bytes: String) -> Table {
    var table = Table(["", "before", "after", "kept"])
    table.add([
      "MACs", OutputText.count(before.macs), OutputText.count(after.macs),
      OutputText.percent(after.macs, of: before.macs),
    ])
    table.add([
      "parameters", OutputText.count(before.parameters), OutputText.count(after.parameters),
      OutputText.percent(after.parameters, of: before.parameters),
    ])
    table.add([
      bytes, OutputText.bytes(before.bytes), OutputText.bytes(after.bytes),
      OutputText.percent(after.bytes, of: before.bytes),
    ])
    table.add([
      "nodes", "\(before.nodes)", "\(after.nodes)",
      OutputText.percent(after.nodes, of: before.nodes),
    ])
    return table
  }

  /// What the time was to be.
  private var target: String {
    guard let latency = report.latency else { return "" }
    let place =
      switch latency.device {
      case .runtime(let threads): "on " + OutputText.counted(threads ?? 0, "thread")
      case .command(let command):
        "by the command" + (command.device.map { " on \($0)" } ?? "")
      }
    return
      "measured \(place): \(latency.text(latency.afterMs)), "
      + "target \(latency.text(latency.targetMs))"
  }

  private var layers: String {
    guard !report.layers.isEmpty else { return "" }
    var table = Table(["layer", "operator", "channels", "kept"])
    for layer in report.layers {
      table.add([
        layer.name, layer.operator, "\(layer.channelsBefore)", "\(layer.channelsAfter)",
      ])
    }
    return table.text
  }

  private var check: String {
    switch report.check.status {
    case "passed":
      "checked: equal to the masked original (relative error "
        + Self.scientific(report.check.maxRelative ?? 0) + ")"
        + (report.check.discontinuities.map {
          ", compared before and after "
            + ($0 == 1
              ? "the one node that rounds or chooses" : "each of \($0) nodes that round or choose")
        } ?? "")
        + (report.check.omission.map { ", but for \($0)" } ?? "")
    case "impossible": "not checked: \(report.check.reason ?? "")"
    default: "not checked"
    }
  }

  /// Closeness of the result to the original on samples.
  private var agreement: String {
    guard let agreement = report.agreement else { return "" }
    let samples =
      switch agreement.source {
      case .heldBack: OutputText.counted(agreement.samples, "sample") + " held back"
      case .calibration:
        OutputText.counted(agreement.samples, "sample") + ", all of which were fitted to"
      case .synthetic: OutputText.counted(agreement.samples, "made-up sample")
      case .check: "the inputs of the check"
      }
    let measures = [
      agreement.top1.map { String(format: "same class for %.1f %%", $0 * 100) },
      "divergence \(OutputText.number(agreement.divergence))",
    ].compactMap { $0 }.joined(separator: ", ")
    let advice =
      switch agreement.source {
      case .heldBack, .calibration: ""
      case .synthetic:
        "\nno real data was looked at: this is no accuracy; say --calibration, and measure with evaluate"
      case .check:
        "\nweights alone decided: this is no accuracy; say --calibration, and measure with evaluate"
      }
    return "compared with the original on \(samples): \(measures)\(advice)"
  }

  /// Use of statistics that were collected before.
  private var statistics: String {
    guard let statistics = report.statistics else { return "" }
    let fit =
      statistics.fitIsSymmetric
      ? "\nlayers are fitted to what they read in the original, not to what the small network makes of it; --calibration does that"
      : ""
    return "stored statistics of \(OutputText.counted(statistics.samples, "sample")) in "
      + OutputText.counted(statistics.parts, "file") + fit
  }

  private var accuracy: String {
    guard let accuracy = report.accuracy else { return "" }
    let shared = accuracy.sharedWithCalibration
    let caution =
      shared > 0
      ? "\n\(OutputText.counted(shared, "sample")) of these are among those of --calibration" : ""
    let name = accuracy.before.metric == "top-1" ? "accuracy" : "measured"
    return "\(name) on \(OutputText.counted(accuracy.before.items, "sample")): "
      + "\(accuracy.before.text) before; \(accuracy.after.text) after\(caution)"
  }

  /// The cuts that were tried to meet a bound.
  private var candidates: String {
    guard let report = report.bound else { return "" }
    let bound = report.bound
    let isDrop = report.before != nil
    var table = Table(["--macs", "MACs"] + (isDrop ? [bound.measure] : []) + ["loss"])
    for candidate in report.candidates.sorted(by: { $0.budget > $1.budget }) {
      let value = candidate.value.map {
        bound.unit == "points" ? String(format: "%.2f %%", $0 * 100) : OutputText.number($0)
      }
      let mark = candidate.budget == report.chosen ? " *" : ""
      table.add(
        [OutputText.number(candidate.budget), candidate.macs.map(OutputText.count) ?? "-"]
          + (isDrop ? [value ?? "-"] : [])
          + [(candidate.loss.map(bound.lossText) ?? "out of reach") + mark])
    }
    return "tried for \(bound.text); * is the result\n\n" + table.text
  }

  private static func scientific(_ value: Double) -> String {
    guard value > 0 else { return "0" }
    var (mantissa, exponent) = (value, 0)
    while mantissa < 1 {
      mantissa *= 10
      exponent -= 1
    }
    let tenths = Int((mantissa * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)e\(exponent)"
  }
}
