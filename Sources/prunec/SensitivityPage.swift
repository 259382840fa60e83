import Foundation
import PrunecCommandLineSupport
import PrunecCoupling
import PrunecDriver

/// A page with a small chart for each group, those first that do most damage at half of their channels. It needs no other file.
struct SensitivityPage {
  private let sensitivity: Sensitivity
  private let title: String
  /// Powers of ten that the charts reach from and to: all have the same scale.
  private let decades: ClosedRange<Int>

  init(_ sensitivity: Sensitivity, title: String) {
    (self.sensitivity, self.title) = (sensitivity, title)
    let measured = sensitivity.groups.flatMap(\.points).map(\.divergence)
      .filter { $0 > 0 && $0.isFinite }
    let highest = Int(log10(measured.max() ?? 1).rounded(.up))
    let lowest = Int(log10(measured.min() ?? 1).rounded(.down))
    // What is smaller than a millionth of the greatest is as good as none.
    decades = max(min(lowest, highest - 1), highest - 6)...highest
  }

  var text: String {
    let order = sensitivity.groups.indices.sorted {
      (-Self.halfDamage(sensitivity.groups[$0]), $0) < (
        -Self.halfDamage(sensitivity.groups[$1]), $1
      )
    }
    let charts = order.map { figure(sensitivity.groups[$0]) }.joined(separator: "\n")
    let name = Self.escaped(title)
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <title>Sensitivity of \(name)</title>
      <style>
      body { font: 14px/1.4 sans-serif; margin: 2em; color: #222; background: #fff; }
      main { display: flex; flex-wrap: wrap; gap: 1.5em; }
      figure { margin: 0; width: \(Self.width)px; }
      figcaption { overflow-wrap: anywhere; }
      figcaption small, p { color: #555; }
      text { font: 10px sans-serif; fill: #555; }
      .grid { stroke: #ddd; }
      .half { stroke: #aaa; stroke-dasharray: 3 3; }
      .curve { fill: none; stroke: #1f5fa8; stroke-width: 1.5; }
      circle { fill: #1f5fa8; }
      </style>
      </head>
      <body>
      <h1>Sensitivity of \(name)</h1>
      <p>Divergence of the outputs (upwards, logarithmic) where one group alone keeps a share of its channels (to the right
      fewer), on \(Self.escaped(sensitivity.sampleText)). Groups come in the order of the damage at half of their channels.</p>
      <main>
      \(charts)
      </main>
      </body>
      </html>

      """
  }

  /// The damage at half of a group's channels: the first measurement of at most so many, or the last there is.
  private static func halfDamage(_ group: Sensitivity.Group) -> Double {
    let half = group.points.first { 2 * $0.kept <= group.channels } ?? group.points.last
    return half?.divergence ?? 0
  }

  // MARK: Charts

  private static let (width, height) = (260.0, 160.0)
  /// Space around the area of a chart, for its labels.
  private static let (left, top, right, bottom) = (38.0, 8.0, 10.0, 22.0)

  private func x(_ share: Double) -> Double {
    Self.left + (1 - share) * (Self.width - Self.left - Self.right)
  }

  /// Zero lies on the lower edge, and what is infinite on the upper.
  private func y(_ divergence: Double) -> Double {
    let (low, high) = (Double(decades.lowerBound), Double(decades.upperBound))
    let place = (min(high, max(low, log10(divergence))) - low) / (high - low)
    return Self.height - Self.bottom - place * (Self.height - Self.top - Self.bottom)
  }

  private func figure(_ group: Sensitivity.Group) -> String {
    let share = OutputText.percent(group.macs, of: sensitivity.macs)
    return """
      <figure>
      <svg viewBox="0 0 \(Self.text(Self.width)) \(Self.text(Self.height))" role="img">
      \((grid + curve(group)).joined(separator: "\n"))
      </svg>
      <figcaption><b>\(Self.escaped(group.name))</b><br>
      <small>\(group.kind.rawValue), \(OutputText.counted(group.channels, "channel")), \(share) of the MACs</small></figcaption>
      </figure>
      """
  }

  /// A line for each power of ten, and one at half of the channels.
  private var grid: [String] {
    let end = x(0)
    var lines = decades.flatMap { decade -> [String] in
      let height = y(pow(10, Double(decade)))
      return [
        Self.line("grid", Self.left, height, end, height),
        Self.label("1e\(decade)", Self.left - 4, height + 3, "end"),
      ]
    }
    lines.append(Self.line("half", x(0.5), Self.top, x(0.5), Self.height - Self.bottom))
    for (share, text) in [(1, "all"), (0.5, "half"), (0, "none")] {
      lines.append(Self.label(text, x(share), Self.height - 8, "middle"))
    }
    return lines
  }

  private func curve(_ group: Sensitivity.Group) -> [String] {
    let places = group.points.map { point in
      (
        x: Self.text(x(Double(point.kept) / Double(group.channels))),
        y: Self.text(y(point.divergence)), point: point
      )
    }
    let points = places.map { "\($0.x),\($0.y)" }.joined(separator: " ")
    return [#"<polyline class="curve" points="\#(points)"/>"#]
      + places.map { place in
        let (kept, damage) = (place.point.kept, OutputText.divergence(place.point.divergence))
        return #"<circle cx="\#(place.x)" cy="\#(place.y)" r="2.5"><title>"#
          + "\(kept) of \(group.channels): \(damage)</title></circle>"
      }
  }

  private static func line(
    _ kind: String, _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double
  ) -> String {
    #"<line class="\#(kind)" x1="\#(text(x1))" y1="\#(text(y1))" x2="\#(text(x2))" y2="\#(text(y2))"/>"#
  }

  private static func label(_ text: String, _ x: Double, _ y: Double, _ anchor: String) -> String {
    #"<text x="\#(self.text(x))" y="\#(self.text(y))" text-anchor="\#(anchor)">\#(text)</text>"#
  }

  private static func text(_ number: Double) -> String { String(format: "%.1f", number) }

  private static func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: ">", with: "&gt;").replacingOccurrences(of: "\"", with: "&quot;")
  }
}
