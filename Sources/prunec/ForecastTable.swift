import Foundation
import PrunecCommandLineSupport
import PrunecCoupling
import PrunecDriver

/// Forecast as a table for people.
struct ForecastTable {
  private let forecast: Forecast

  init(_ forecast: Forecast) { self.forecast = forecast }

  var text: String {
    [
      ReportTable.sizes(forecast.before, forecast.after, bytes: "constants").text, groups, steps,
      "nothing has been written",
    ].filter { !$0.isEmpty }.joined(separator: "\n\n")
  }

  private var groups: String {
    var table = Table(["group", "kind", "channels", "kept"])
    for group in forecast.groups where group.pinned == nil {
      table.add([
        group.name, group.kind.rawValue, "\(group.channelsBefore)", "\(group.channelsAfter)",
      ])
    }
    return table.text
  }

  private var steps: String {
    guard !forecast.steps.isEmpty else { return "" }
    var table = Table(["step", "MACs", "time"])
    for step in forecast.steps {
      let seconds = step.seconds.map { String(format: "%.2f s", $0) } ?? "unknown"
      table.add([
        step.name, "about " + OutputText.count(step.macs),
        step.isEstimate ? "about \(seconds), not done" : seconds,
      ])
    }
    return table.text
  }
}
