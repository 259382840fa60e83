import Foundation
import PrunecPassKit
import PrunecPasses
import PrunecTestSupport
import Testing

/// Holds the registry, the folder, the tests and the documentation together.
@Suite struct RegistryTests {
  /// `FoldBatchNorm` as `fold-batch-norm`.
  private func kebabCase(_ type: any Pass.Type) -> String {
    var name = ""
    for character in String(describing: type) {
      if character.isUppercase, !name.isEmpty { name += "-" }
      name += character.lowercased()
    }
    return name
  }

  private func swiftFiles(in folder: String) throws -> [String] {
    let root = packageDirectory.appending(path: folder)
    let files = try #require(
      FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil))
    return files.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
      .map { $0.deletingPathExtension().lastPathComponent }
  }

  @Test func namesAreTheTypesNames() {
    for pass in allPasses.passes { #expect(pass.name == kebabCase(pass)) }
    #expect(Set(allPasses.passes.map { $0.name }).count == allPasses.passes.count)
  }

  @Test func everyFileIsARegisteredPass() throws {
    let files = try swiftFiles(in: "Passes").filter { $0 != "AllPasses" }
    #expect(files.sorted() == allPasses.passes.map { String(describing: $0) }.sorted())
  }

  @Test func everyPassHasTests() throws {
    let tests = Set(try swiftFiles(in: "Tests/PassesTests"))
    for pass in allPasses.passes { #expect(tests.contains("\(pass)Tests"), "\(pass)") }
  }

  /// Passes whose results are no graph to compare.
  private let passesWithoutGoldens = [
    "score-channels": "the graph stays as it is; its tests compare the scores",
    "couple-channels": "the graph stays as it is; its tests look at the coupling",
    "collect-statistics": "the graph stays as it is; its tests compare the sums",
    "seek-classes": "the graph stays as it is; its tests look at the samples",
    "measure-damage": "the graph stays as it is; its tests compare the table",
    "rotate-heads": "numbers follow from data; its tests compare what graphs compute",
    "refit-layers": "numbers follow from data; its tests compare what graphs compute",
    "reconstruct-layers": "numbers follow from data; its tests compare what graphs compute",
  ]

  @Test func everyPassHasGoldens() throws {
    let fixtures = packageDirectory.appending(path: "Fixtures/Passes")
    let folders = try FileManager.default.contentsOfDirectory(atPath: fixtures.path)
    let expected = allPasses.passes.map { $0.name }.filter { passesWithoutGoldens[$0] == nil }
    #expect(folders.sorted() == expected.sorted())
  }

  @Test func summariesAreOneLine() {
    for pass in allPasses.passes {
      #expect(!pass.summary.isEmpty && !pass.summary.contains("\n"), "\(pass)")
      #expect(pass.summary.first?.isLowercase == true && pass.summary.last != ".", "\(pass)")
    }
  }

  /// Every option is read by the pass that declares it: given once it is taken, and no more often than it may be.
  @Test func optionsAreReadAsDeclared() throws {
    let rules = Set(allPasses.rules.map(\.requires)).sorted().map { $0 + "," }.joined()
    for pass in allPasses.passes {
      for option in pass.options {
        #expect(option.help.last == "." && !option.help.contains("\n"), "\(pass) \(option.key)")
        let value = try #require(option.defaultText ?? Self.values[option.key])
        let others: [PassSetting] = Self.companions[option.key] ?? []
        let step = pass.text([(option.key, value)] + others)
        _ = try PassManager(Pipeline(rules + step), registry: allPasses)
        let second = compileError {
          let twice = pass.text([(option.key, value), (option.key, value)] + others)
          _ = try PassManager(Pipeline(rules + twice), registry: allPasses)
        }
        #expect((second == nil) == option.isRepeatable, "\(pass) \(option.key)")
      }
    }
  }

  /// A value for each option that has no default.
  private static let values = [
    "macs": "0.3", "params": "0.3", "ratio": "0.3", "latency": "4ms", "peak-memory": "24MiB",
    "only": "conv", "stats": "stored",
    "keep": "a b", "ratio-for": "a=b=0.5", "threads": "2",
    "measure": "time {model}", "device": "a phone",
  ]

  /// Options without which an option is refused.
  private static let companions: [String: [PassSetting]] = [
    "threads": [("latency", "0.5")], "measure": [("latency", "0.5")],
    "device": [("latency", "0.5"), ("measure", "time {model}")],
  ]

  @Test func rulesNamePasses() {
    let names = Set(allPasses.passes.map { $0.name })
    for rule in allPasses.rules {
      #expect(names.contains(rule.pass) && names.contains(rule.requires))
      #expect(!rule.reason.isEmpty)
    }
  }

  @Test func theReadmeListsEveryPass() throws {
    let readme = try String(
      contentsOf: packageDirectory.appending(path: "README.md"), encoding: .utf8)
    for pass in allPasses.passes {
      #expect(readme.contains("`\(pass.name)`"), "README.md does not mention \(pass.name)")
    }
  }
}
