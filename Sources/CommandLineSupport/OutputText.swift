import Foundation

/// Numbers and JSON as prunec prints them.
package enum OutputText {
  /// A count with a decimal unit: 31.2 M.
  package static func count(_ value: Int) -> String { scaled(value, ["", " k", " M", " G", " T"]) }

  /// A size in bytes with a decimal unit: 1.09 MB.
  package static func bytes(_ value: Int) -> String {
    scaled(value, [" B", " kB", " MB", " GB", " TB"])
  }

  private static func scaled(_ value: Int, _ units: [String]) -> String {
    var (scaled, unit) = (Double(value), 0)
    while scaled >= 999.5, unit < units.count - 1 {
      scaled /= 1000
      unit += 1
    }
    let digits = unit == 0 ? 0 : (scaled < 9.995 ? 2 : (scaled < 99.95 ? 1 : 0))
    return String(format: "%.\(digits)f%@", scaled, units[unit])
  }

  /// `part` of `whole` in percent, with one decimal.
  package static func percent(_ part: Int, of whole: Int) -> String {
    whole == 0 ? "-" : String(format: "%.1f %%", 100 * Double(part) / Double(whole))
  }

  /// So many of what `noun` names: 1 output, 2 outputs.
  package static func counted(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
  }

  /// A time in the unit that shows its digits: 12.345 ms, 85.2 µs.
  package static func duration(milliseconds: Double) -> String {
    milliseconds < 0.9995
      ? String(format: "%.1f µs", milliseconds * 1000) : String(format: "%.3f ms", milliseconds)
  }

  /// A number with four significant digits; nothing for none.
  package static func number(_ value: Double?) -> String {
    value.map { String(format: "%.4g", $0) } ?? ""
  }

  /// JSON with sorted keys; the same value gives the same text. What is not finite is one of the strings `inf`, `-inf`
  /// and `nan`.
  package static func json(_ value: some Encodable, pretty: Bool = true) throws -> String {
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    encoder.outputFormatting =
      pretty
      ? [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
      : [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
