import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecTensors

/// Statistics that were collected before, of one or more parts of the samples.
package struct StoredStatistics: Sendable {
  /// The key of the statistics that users give.
  package static let given = "stored"

  /// The option by which passes are told to take stored statistics.
  package static let option = PassOption<String?>(
    "stats", .text, valueName: "key",
    help: "The key of statistics that were collected before, which take the place of samples.")

  /// Options of the collection that all parts have in common.
  package struct Settings: Hashable, Codable, Sendable {
    package let direction: String
    package let rows: Int
    /// Number of samples that the rows are shared out among.
    package let samples: Int
    package let seed: Int

    package init(direction: SplitDirection, rows: Int, samples: Int, seed: Int) {
      self.direction = direction.rawValue
      (self.rows, self.samples, self.seed) = (rows, samples, seed)
    }

    /// Difference from other settings, in words; `nil` where there is none.
    package func difference(from other: Settings) -> String? {
      let all: [(String, String, String)] = [
        ("direction", direction, other.direction), ("rows", "\(rows)", "\(other.rows)"),
        ("samples", "\(samples)", "\(other.samples)"), ("seed", "\(seed)", "\(other.seed)"),
      ]
      return all.first { $0.1 != $0.2 }.map { "\($0.0) is \($0.1), not \($0.2)" }
    }
  }

  /// A file's part.
  package struct Part: Sendable {
    package let file: String
    /// The checksum of the file, by which it is known.
    package let checksum: UInt64
    package let sampleCount: Int

    package init(file: String, checksum: UInt64, sampleCount: Int) {
      (self.file, self.checksum, self.sampleCount) = (file, checksum, sampleCount)
    }
  }

  /// The fingerprint of the graph that sums were collected in.
  package let model: UInt64
  package let settings: Settings
  package var sums: StatisticsSums
  package var parts: [Part]
  /// Effect of cutting single groups, where it has been measured with these sums.
  package var damage: StoredDamage?

  package init(model: UInt64, settings: Settings, sums: StatisticsSums, parts: [Part] = []) {
    (self.model, self.settings, self.sums, self.parts) = (model, settings, sums, parts)
  }

  /// Identity of the sums, whatever the order of their parts.
  package var identity: [UInt64] { parts.map(\.checksum).sorted() }

  /// A number for all that is stored.
  package var fingerprint: UInt64 {
    var fingerprint = Fingerprint()
    for checksum in identity { fingerprint.add(checksum) }
    for sum in damage?.groups.flatMap(\.sums) ?? [] { fingerprint.add(sum.bitPattern) }
    return fingerprint.value
  }

  /// Throws a usage error where the sums are not about `graph`, or were collected for other channels.
  package func check(_ graph: Graph, direction: SplitDirection) throws(CompileError) {
    let file = parts.first?.file ?? "statistics"
    guard graph.fingerprint == model else {
      throw CompileError(.usage, "\(file) holds statistics of another model")
    }
    guard settings.direction == direction.rawValue else {
      throw CompileError(
        .usage,
        "\(file) holds statistics for --direction \(settings.direction), not \(direction.rawValue)")
    }
  }
}

extension PassContext {
  /// The statistics of a key. Throws a usage error where there are none.
  package func stored(_ key: String, for pass: String) throws(CompileError) -> StoredStatistics {
    guard let found = stored[key] else {
      throw CompileError(
        .usage, "\(pass) needs statistics, and there are none called '\(key)'",
        notes: ["say --stats FILE"])
    }
    return found
  }
}
