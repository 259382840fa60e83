import Foundation
import PrunecArrayFiles
import PrunecCalibration
import PrunecFiles
import PrunecGraphIR
import PrunecONNXFormat
import PrunecOperators
import PrunecPassKit
import PrunecTensors

/// A file of statistics or of damage, of a part of the samples.
///
/// An `.npz` archive. The array `header` holds JSON (`Header`), `checksum` the fingerprint of everything else, and for each of the
/// sums that the header names there are `NAME/second`, the upper triangle of the sum of x x^T row by row, and `NAME/sum`, the sum of
/// x, in double precision. Damage has `damage/I/kept` and `damage/I/sum` for the group at place I in the header's list.
package struct StatisticsFile: Sendable {
  static let (format, version) = ("prunec statistics", 1)

  /// Contents of a file.
  package enum Contents: Sendable {
    case sums(StatisticsSums)
    case damage(StoredDamage, samples: [UInt64])
  }

  /// The fingerprint of the model in the form in which sums are collected.
  package let model: UInt64
  package let settings: StoredStatistics.Settings
  package let contents: Contents
  /// The names of layers, by the names of their sums.
  let layerNames: [String: String]

  package init(
    model: UInt64, settings: StoredStatistics.Settings, contents: Contents,
    layerNames: [String: String] = [:]
  ) {
    (self.model, self.settings, self.contents) = (model, settings, contents)
    self.layerNames = layerNames
  }

  /// Numbers for the samples that it is about.
  package var samples: [UInt64] {
    switch contents {
    case .sums(let sums): sums.samples
    case .damage(_, let samples): samples
    }
  }

  struct Header: Codable {
    struct Input: Codable {
      let elementType: String
      let shape: [Int]
    }

    struct Sum: Codable {
      let name: String
      let layer: String?
      /// Number of rows, and the length of one.
      let count, length: Int
    }

    struct Group: Codable {
      let index: Int
      let name: String
      let channels: Int
    }

    struct Damage: Codable {
      let statistics: [String]
      let criterion, effort: String
      let fractions: [Double]
      let sampleCount: Int
      let groups: [Group]
    }

    var format = StatisticsFile.format
    var version = StatisticsFile.version
    let model: String
    let settings: StoredStatistics.Settings
    let samples: [String]
    var inputs: [Input] = []
    var sums: [Sum]?
    var damage: Damage?
  }

  /// Writes the file at `path`, which appears whole or not at all. Throws an input/output error where that fails.
  package func write(to path: String) throws(CompileError) {
    var (arrays, sums, damage): ([(name: String, tensor: Tensor)], [Header.Sum]?, Header.Damage?) =
      ([], nil, nil)
    var inputs: [Header.Input] = []
    switch contents {
    case .sums(let all):
      inputs = all.inputTypes.map { type in
        .init(elementType: type.elementType?.name ?? "", shape: type.fixedShape ?? [])
      }
      let sorted = all.moments.sorted { $0.key < $1.key }
      sums = sorted.map { name, moments in
        .init(
          name: name, layer: layerNames[name], count: moments.count, length: moments.inputs)
      }
      for (name, moments) in sorted {
        arrays.append((name + "/second", Tensor(doubles: moments.packedSecond)))
        arrays.append((name + "/sum", Tensor(doubles: moments.inputSum)))
      }
    case .damage(let all, _):
      damage = .init(
        statistics: all.statistics.map(\.hexadecimal), criterion: all.criterion,
        effort: all.effort.rawValue, fractions: all.fractions, sampleCount: all.sampleCount,
        groups: all.groups.map { .init(index: $0.index, name: $0.name, channels: $0.count) })
      for (place, group) in all.groups.enumerated() {
        arrays.append(("damage/\(place)/kept", Tensor(group.kept)))
        arrays.append(("damage/\(place)/sum", Tensor(doubles: group.sums)))
      }
    }
    let header = Header(
      model: model.hexadecimal, settings: settings, samples: samples.map(\.hexadecimal),
      inputs: inputs, sums: sums, damage: damage)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    guard let text = try? encoder.encode(header) else {
      throw CompileError(.inputOutput, "the header cannot be made")
    }
    let bytes = Tensor(wrapping: text.map(Int.init), to: .uint8, shape: [text.count])
    arrays.insert(("header", bytes), at: 0)
    let checksum = Self.checksum(arrays)
    arrays.append(
      ("checksum", Tensor(wrapping: [Int(bitPattern: UInt(checksum))], to: .uint64, shape: [1])))
    try writeBytes([UInt8](try ArrayFile.archive(arrays)), to: path)
  }

  /// The fingerprint of arrays with their names.
  static func checksum(_ arrays: [(name: String, tensor: Tensor)]) -> UInt64 {
    var fingerprint = Fingerprint()
    for (name, tensor) in arrays.sorted(by: { $0.name < $1.name }) {
      fingerprint.add(name)
      fingerprint.add(tensor)
    }
    return fingerprint.value
  }
}

extension Tensor {
  /// A vector of float64.
  fileprivate init(doubles: [Double]) {
    let storage = doubles.withUnsafeBytes { bytes in
      TensorStorage(byteCount: bytes.count) { $0.copyMemory(from: bytes) }
    }
    self.init(.float64, shape: [doubles.count], storage: storage)
  }
}
