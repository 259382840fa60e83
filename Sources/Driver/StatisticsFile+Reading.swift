import Foundation
import PrunecArrayFiles
import PrunecCalibration
import PrunecGraphIR
import PrunecPassKit
import PrunecTensors

extension StatisticsFile {
  /// Reads the file at `path`, and gives its checksum, by which it is known.
  ///
  /// Throws an input/output error where it cannot be read, a malformed error where it is no such file, or is not what was written,
  /// and a usage error for one of another version.
  package static func read(
    _ path: String
  ) throws(CompileError) -> (file: StatisticsFile, checksum: UInt64) {
    var (arrays, _) = try ArrayFile.readArchive(path)
    guard let bytes = arrays["header"], bytes.elementType == .uint8,
      let header = try? JSONDecoder().decode(
        Prologue.self, from: Data(bytes.array(of: UInt8.self))),
      header.format == format
    else { throw CompileError(.malformed, "is no file of statistics that calibrate has written") }
    guard header.version == version else {
      throw CompileError(
        .usage, "holds statistics of version \(header.version), and this prunec reads \(version)",
        notes: ["calibrate again"])
    }
    guard
      let header = try? JSONDecoder().decode(Header.self, from: Data(bytes.array(of: UInt8.self)))
    else { throw CompileError(.malformed, "has a header that cannot be read") }
    let stored = arrays.removeValue(forKey: "checksum")
    let checksum = checksum(arrays.map { (name: $0.key, tensor: $0.value) })
    guard let stored, stored.elementType == .uint64, stored.array(of: UInt64.self) == [checksum]
    else { throw CompileError(.malformed, "is damaged: its checksum is another one") }
    let reading = Reading(header: header, arrays: arrays)
    return (try reading.file(), checksum)
  }

  /// The part of the header that all versions have.
  private struct Prologue: Codable {
    let format: String
    let version: Int
  }

  private struct Reading {
    /// The most rows or samples that a file may count, so that sums of them are numbers.
    private static let countLimit = 1 << 48

    let header: Header
    let arrays: [String: Tensor]

    func file() throws(CompileError) -> StatisticsFile {
      let samples = try header.samples.map(number)
      let contents: Contents
      if let damage = header.damage {
        contents = .damage(try self.damage(damage), samples: samples)
      } else if let sums = header.sums {
        contents = .sums(try self.sums(sums, samples))
      } else {
        throw CompileError(.malformed, "holds neither sums nor damage")
      }
      return StatisticsFile(
        model: try number(header.model), settings: header.settings, contents: contents)
    }

    private func number(_ text: String) throws(CompileError) -> UInt64 {
      guard let number = UInt64(text, radix: 16) else {
        throw CompileError(.malformed, "has a fingerprint of '\(text)'")
      }
      return number
    }

    private func doubles(_ name: String, count: Int? = nil) throws(CompileError) -> [Double] {
      guard let array = arrays[name], array.elementType == .float64, array.rank == 1,
        count ?? array.count == array.count
      else { throw CompileError(.malformed, "has no fitting array '\(name)'") }
      return array.array(of: Double.self)
    }

    private func sums(
      _ list: [Header.Sum], _ samples: [UInt64]
    ) throws(CompileError) -> StatisticsSums {
      var moments: [String: Moments] = [:]
      for sum in list {
        guard (1...LayerStatistics.lengthLimit).contains(sum.length),
          (0...Self.countLimit).contains(sum.count)
        else {
          throw CompileError(.malformed, "has \(sum.count) rows of length \(sum.length)")
        }
        let packed = try doubles(sum.name + "/second", count: sum.length * (sum.length + 1) / 2)
        moments[sum.name] = Moments(
          count: sum.count, second: Moments.unpacked(packed, length: sum.length),
          sum: try doubles(sum.name + "/sum", count: sum.length))
      }
      let types = try header.inputs.map { (input) throws(CompileError) -> TensorType in
        guard let type = ElementType(name: input.elementType), input.shape.allSatisfy({ $0 >= 0 }),
          input.shape.checkedElementCount != nil
        else { throw CompileError(.malformed, "has an input of type '\(input.elementType)'") }
        return TensorType(type, fixed: input.shape)
      }
      return StatisticsSums(moments: moments, samples: samples, inputTypes: types)
    }

    private func damage(_ damage: Header.Damage) throws(CompileError) -> StoredDamage {
      guard let effort = Effort(rawValue: damage.effort),
        (1...Self.countLimit).contains(damage.sampleCount)
      else { throw CompileError(.malformed, "has damage of effort '\(damage.effort)'") }
      guard damage.fractions.allSatisfy((0...1).contains) else {
        throw CompileError(.malformed, "has damage at fractions outside of 0 to 1")
      }
      var groups: [StoredDamage.Group] = []
      for (place, group) in damage.groups.enumerated() {
        let sums = try doubles("damage/\(place)/sum")
        guard let kept = arrays["damage/\(place)/kept"]?.integers, kept.count == sums.count,
          group.index >= 0, group.channels > 0, zip(kept, kept.dropFirst()).allSatisfy({ $0 > $1 }),
          kept.allSatisfy({ (0..<group.channels).contains($0) })
        else { throw CompileError(.malformed, "has no fitting array 'damage/\(place)/kept'") }
        groups.append(
          StoredDamage.Group(
            index: group.index, name: group.name, count: group.channels, kept: kept, sums: sums))
      }
      return StoredDamage(
        statistics: try damage.statistics.map(number), criterion: damage.criterion, effort: effort,
        fractions: damage.fractions, sampleCount: damage.sampleCount, groups: groups)
    }
  }
}
