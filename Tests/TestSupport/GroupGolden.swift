import Foundation
import PrunecCoupling
import PrunecGraphIR
import PrunecONNXText

/// A family of architectures as text: a graph, and beneath it the groups that the coupling finds.
///
///     # What the family is about.
///     main (float[N,3] x) => (float[N,2] y)
///     ...
///     # inner:
///     ffn fc1, 4 channels: w1[1] w2[0] t[1]
///     pinned fc2, 2 channels: w2[1] y[1], for value 'y': is an output of the graph
///
/// for splits cut along their inner factor, then `# outer:`; or `# either:` where both give the same.
package struct GroupGolden {
  private static let headings = SplitDirection.allCases.map(\.rawValue) + ["either"]

  private let url: URL
  private let input: String
  private var expected: [String: String] = [:]

  /// All families, in order of their names.
  package static func all() throws -> [GroupGolden] {
    let directory = packageDirectory.appending(path: "Fixtures/Coupling")
    return try FileManager.default.contentsOfDirectory(
      at: directory, includingPropertiesForKeys: nil
    ).filter { $0.pathExtension == "onnxtxt" }.sorted { $0.path < $1.path }.map(GroupGolden.init)
  }

  private init(_ url: URL) throws {
    self.url = url
    var input: [String] = []
    var heading: String?
    for line in try String(contentsOf: url, encoding: .utf8).split(
      separator: "\n", omittingEmptySubsequences: false)
    {
      if let found = Self.headings.first(where: { line == "# \($0):" }) {
        heading = found
        expected[found] = ""
      } else if let heading {
        if !line.isEmpty { expected[heading]! += line + "\n" }
      } else {
        input.append(String(line))
      }
    }
    self.input = input.joined(separator: "\n")
  }

  /// What is wrong; empty where all is well.
  ///
  /// Besides the groups, half of the channels are taken out, and what is left is run beside the masked
  /// graph. With the environment variable `BLESS` set to 1, groups that differ are written to the file, and
  /// reported all the same.
  package func failures() throws -> [String] {
    let name = url.lastPathComponent
    let directions: [SplitDirection] = [.inner, .outer]
    let actual = try directions.map { ($0, try CoupledModel(input, direction: $0).groupText) }
    var failures: [String] = []
    for (direction, text) in actual {
      let wanted = expected[direction.rawValue] ?? expected["either"] ?? ""
      if text != wanted {
        failures.append("\(name), \(direction):\n\(lineDiff(expected: wanted, actual: text))")
      }
    }
    if !failures.isEmpty, ProcessInfo.processInfo.environment["BLESS"] == "1" {
      try bless(actual)
    }
    for direction in directions {
      do {
        let run = try PassRun(
          """
          score-channels{criterion=random seed=3},mask-channels{ratio=0.5 align=1},shrink-channels
          """, on: parseModel(input), direction: direction)
        failures += run.unchecked.map { "\(name), \(direction): not checked: \($0)" }
      } catch {
        failures.append("\(name), \(direction): \(error)")
      }
    }
    return failures
  }

  private func bless(_ actual: [(SplitDirection, String)]) throws {
    var text = input.trimmingCharacters(in: .newlines) + "\n"
    let isSame = actual.allSatisfy { $0.1 == actual[0].1 }
    for (direction, groups) in isSame ? [actual[0]] : actual {
      text += "# \(isSame ? "either" : direction.rawValue):\n\(groups)"
    }
    try text.write(to: url, atomically: true, encoding: .utf8)
  }
}

extension CoupledModel {
  /// All groups, a line each: kind, name, and where the channels lie, as values and axes. Where channel i
  /// is not just index i, the indices of channel 0 are told: `w[1]{0-2}` for blocks of three, `w[1]{0,3}`
  /// for two heads of three dimensions, `w[1]{4}` for the second part of a concatenation. Of a pinned
  /// group, why it is.
  package var groupText: String {
    coupling.groups.map { group in
      let members = group.members.map { member in
        let isWhole =
          member.multiplicity == 1 && member.indices.elementsEqual(0..<Int32(group.count))
        let indices = isWhole ? "" : "{\(Self.ranges(member.indices(ofChannel: 0)))}"
        return "\(graph[member.axis.value].name)[\(member.axis.index)]\(indices)"
      }.joined(separator: " ")
      let text = "\(group.name), \(group.count) channels: \(members)"
      guard let pin = group.pin else { return "\(group.kind.rawValue) \(text)\n" }
      return "pinned \(text), for \(pin)\n"
    }.joined()
  }

  /// Increasing numbers, runs of three or more as ranges.
  private static func ranges(_ numbers: ArraySlice<Int32>) -> String {
    var runs: [ClosedRange<Int32>] = []
    for number in numbers {
      if let last = runs.last, last.upperBound + 1 == number {
        runs[runs.count - 1] = last.lowerBound...number
      } else {
        runs.append(number...number)
      }
    }
    return runs.map { run in
      run.count < 3
        ? run.map(String.init).joined(separator: ",") : "\(run.lowerBound)-\(run.upperBound)"
    }.joined(separator: ",")
  }
}
