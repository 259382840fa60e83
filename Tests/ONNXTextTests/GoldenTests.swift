import Foundation
import PrunecGraphIR
import PrunecTestSupport
import Testing

@Suite struct GoldenTests {
  private let text = """
    # A preamble.

    # What the case is about,
    # in two lines.
    # run: erase
    main (float x) => (float y) {
      t = Relu (x)
      y = Identity (t)
    }
    # expect:
    main (float x) => (float y) {
      y = Relu (x)
    }

    # Another case.
    # run: fail{a=1}
    main (float x) => (float y) {
      t = Relu (x)
      # expect-error: not possible
      [here] y = Identity (t)
    }

    """

  /// `erase` erases Identity nodes; `fail` throws at them.
  private func run(_ section: GoldenFile.Case, _ model: Model) throws -> Model {
    var model = model
    for id in Array(model.graph.nodes) where model.graph[id].operation.type == "Identity" {
      let node = model.graph[id]
      guard section.pipeline == "erase" else {
        throw CompileError(
          .unsupported, "this is not possible", at: model.graph.location(of: id))
      }
      model.graph.replaceAllUses(of: node.outputs[0]!, with: node.inputs[0]!)
      model.graph.erase(id)
    }
    return model
  }

  private func failures(_ text: String, isBlessing: Bool = false) throws -> ([String], String) {
    let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try text.write(to: url, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: url) }
    let failures = try goldenFailures(inFile: url, isBlessing: isBlessing, run: run)
    return (failures, try String(contentsOf: url, encoding: .utf8))
  }

  @Test func fileFormatRoundTrips() {
    let file = GoldenFile(text)
    #expect(file.text == text)
    #expect(file.cases.map(\.pipeline) == ["erase", "fail{a=1}"])
    #expect(file.preamble == "# A preamble.")
    #expect(
      file.cases.map(\.note) == [
        "# What the case is about,\n# in two lines.", "# Another case.",
      ])
    #expect(file.cases.map(\.line) == [5, 16])
    #expect(file.cases[1].errors.map(\.line) == [3])
    #expect(file.cases[1].errors.map(\.message) == ["not possible"])
  }

  @Test func passes() throws {
    #expect(try failures(text) == ([], text))
  }

  @Test func blessingRewritesAndFails() throws {
    let changed = text.replacing("y = Relu (x)", with: "y = Neg (x)")
    let (found, kept) = try failures(changed)
    #expect(found.count == 1)
    #expect(found[0].contains("-   y = Neg (x)\n+   y = Relu (x)"))
    #expect(kept == changed)
    let (blessed, rewritten) = try failures(changed, isBlessing: true)
    #expect(blessed.count == 1)
    #expect(rewritten == text)
  }

  @Test func missingExpectationFails() throws {
    let case0 = "# run: erase\nmain (float x) => (float y) {\n  y = Relu (x)\n}\n"
    #expect(try failures(case0).0.count == 1)
    #expect(try failures(case0, isBlessing: true).1.contains("# expect:\nmain"))
  }

  @Test(arguments: [
    ("not possible", "quite impossible", 2),  // announced and not thrown, thrown and not announced
    ("  # expect-error: not possible\n", "", 1),
    ("[here] y = Identity (t)", "y = Neg (t)", 1),
    (
      "  t = Relu (x)\n  # expect-error: not possible",
      "  # expect-error: not possible\n  t = Relu (x)", 2
    ),
  ])
  func wrongErrorsFail(_ old: String, _ new: String, _ lines: Int) throws {
    let (found, _) = try failures(text.replacing(old, with: new))
    #expect(found.count == 1)
    #expect(found.joined().split(separator: "\n").count == lines)
  }

  @Test func diff() {
    #expect(lineDiff(expected: "a\nb", actual: "a\nb") == "")
    #expect(
      lineDiff(expected: "1\n2\n3\n4\n5", actual: "1\n2\n3\nx\n5\n6", context: 1)
        == "...\n  3\n- 4\n+ x\n  5\n+ 6")
  }
}
