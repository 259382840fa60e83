import PrunecCalibration
import PrunecGraphIR
import PrunecPassKit

/// Files of statistics put together: sums added up, and the damage that was measured with them.
package struct StatisticsFiles: Sendable {
  package let stored: StoredStatistics
  /// Samples that are in several parts, and damage that was measured with other statistics.
  package private(set) var warnings: [Diagnostic] = []

  private struct Read {
    let path: String
    let file: StatisticsFile
    let checksum: UInt64
  }

  /// Reads the files at `paths`. The sums are added in an order of their own, so that the same files give the same numbers.
  ///
  /// Throws the error of a file, with its path, which `located` makes of it; a usage error where files do not belong together.
  package init(
    _ paths: [String], located: (CompileError, String) -> any Error
  ) throws {
    var files: [Read] = []
    for path in paths {
      do throws(CompileError) {
        let (file, checksum) = try StatisticsFile.read(path)
        if let twin = files.first(where: { $0.checksum == checksum }) {
          throw CompileError(.usage, "has the same contents as \(twin.path)")
        }
        if let first = files.first {
          try Self.check(file, against: first)
        }
        files.append(Read(path: path, file: file, checksum: checksum))
      } catch {
        throw located(error, path)
      }
    }
    files.sort { $0.checksum < $1.checksum }
    var sums: StoredStatistics?
    for read in files {
      guard case .sums(let own) = read.file.contents else { continue }
      let part = StoredStatistics.Part(
        file: read.path, checksum: read.checksum, sampleCount: own.samples.count)
      guard sums != nil else {
        sums = StoredStatistics(
          model: read.file.model, settings: read.file.settings, sums: own, parts: [part])
        continue
      }
      guard sums!.sums.isAlike(own) else {
        throw located(
          CompileError(.usage, "has statistics of other layers than \(sums!.parts[0].file)"),
          read.path)
      }
      sums!.sums += own
      sums!.parts.append(part)
    }
    guard var stored = sums else {
      throw located(CompileError(.usage, "holds no statistics, only damage"), paths[0])
    }
    var others: [String] = []
    for read in files {
      guard case .damage(let own, _) = read.file.contents else { continue }
      guard own.statistics == stored.identity else {
        others.append(read.path)
        continue
      }
      if let difference = stored.damage.flatMap({ own.difference(from: $0) }) {
        throw located(CompileError(.usage, "has damage that differs: \(difference)"), read.path)
      }
      if stored.damage == nil { stored.damage = own } else { stored.damage! += own }
    }
    self.stored = stored
    warnings += Self.overlaps(files)
    if !others.isEmpty {
      warnings.append(
        Diagnostic(
          .warning,
          "damage is left out that was measured with other statistics: "
            + others.sorted().joined(separator: ", ")))
    }
  }

  private static func check(
    _ file: StatisticsFile, against first: Read
  ) throws(CompileError) {
    guard file.model == first.file.model else {
      throw CompileError(.usage, "is about another model than \(first.path)")
    }
    if let difference = file.settings.difference(from: first.file.settings) {
      throw CompileError(.usage, "differs from \(first.path): \(difference)")
    }
  }

  /// Warnings about samples that two parts of one kind have in common: they count twice.
  private static func overlaps(_ files: [Read]) -> [Diagnostic] {
    var warnings: [Diagnostic] = []
    let sorted = files.sorted { $0.path < $1.path }
    for (index, one) in sorted.enumerated() {
      let samples = Set(one.file.samples)
      for other in sorted[(index + 1)...] where one.file.isDamage == other.file.isDamage {
        let shared = other.file.samples.count { samples.contains($0) }
        guard shared > 0 else { continue }
        warnings.append(
          Diagnostic(
            .warning,
            "\(shared) of the samples of \(other.path) are those of \(one.path), and count twice"))
      }
    }
    return warnings
  }
}

extension StatisticsFile {
  fileprivate var isDamage: Bool {
    if case .damage = contents { true } else { false }
  }
}
