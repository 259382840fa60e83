import PrunecGraphIR
import PrunecPassKit
import PrunecSelection
import PrunecTestSupport
import Testing

/// Budgets of memory for activations.
@Suite struct MemoryBudgetTests {
  private static let text = """
    main (float[1,8] x) => (float[1,4] y)
    <float[8,64] w1 = {...}, float[64,64] w2 = {...}, float[64,4] w3 = {...}> {
      a = MatMul (x, w1)
      b = Relu (a)
      c = MatMul (b, w2)
      y = MatMul (c, w3)
    }
    """

  private func selection(_ text: String = text) throws -> ChannelSelection {
    let model = try CoupledModel(text)
    var guards = Guards()
    guards.alignment = .multiple(1)
    return try ChannelSelection(
      model.graph, model.facts, model.coupling, ChannelScores(criterion: "test"), guards: guards)
  }

  /// The input lives no longer than its reader, and a Relu takes the place of its operand: 64 + 64 elements at most.
  @Test func valuesLiveFromMakerToReader() throws {
    let selection = try selection()
    #expect(selection.peakMemory(keeping: selection.wholeCounts) == 4 * (64 + 64))
    #expect(selection.peakMemory(keeping: [32, 64]) == 4 * (32 + 64))
    let kept = try #require(selection.counts(withinMemory: 4 * 96, scope: .global))
    #expect(selection.peakMemory(keeping: kept) <= 4 * 96)
    #expect(selection.counts(withinMemory: 16, scope: .global) == nil)
  }

  /// Budget whose plan gives every node a workspace of some bytes for each channel.
  private func budget(
    _ target: MemoryTarget, _ size: @escaping ([Int]) -> Int
  ) throws -> MemoryReport {
    let model = try CoupledModel(Self.text)
    let selection = try selection()
    return try MemoryBudget(
      selection, target, scope: .global, before: size(selection.wholeCounts)
    ) { kept in
      (size(kept), Dictionary(uniqueKeysWithValues: model.graph.nodes.map { ($0, size(kept)) }))
    }.removed().report
  }

  @Test func theArenaMeetsTheTarget() throws {
    for size: ([Int]) -> Int in [
      { 4 * ($0[0] + $0[1]) }, { 1000 + 8 * $0[0] + 4 * $0[1] },
    ] {
      let report = try budget(.fraction(0.8), size)
      #expect(report.afterBytes <= report.targetBytes)
      #expect(Double(report.afterBytes) >= 0.9 * Double(report.targetBytes))
      #expect(report.targetBytes == Int(0.8 * Double(report.beforeBytes)))
    }
    let untouched = try budget(.bytes(1 << 20)) { 4 * $0[0] }
    #expect(untouched.afterBytes == untouched.beforeBytes)
  }

  @Test func aTargetOutOfReach() throws {
    let error = compileError { _ = try budget(.bytes(2048)) { 8192 + 4 * $0[0] } }
    #expect(error?.kind == .checkFailed)
    #expect(
      error?.diagnostics[0].message
        == "the memory for activations cannot be brought from 9 KiB to 2 KiB: 9 KiB is as far as it goes"
    )
  }

  @Test(arguments: [
    ("0.5", MemoryTarget.fraction(0.5)), ("24MiB", .bytes(24 << 20)), ("1.5KiB", .bytes(1536)),
    ("1GiB", .bytes(1 << 30)), ("0", nil), ("1.5", nil), ("-1MiB", nil), ("24", nil), ("x", nil),
    ("nanMiB", nil), ("infKiB", nil),
  ])
  func targetsAreRead(_ text: String, _ target: MemoryTarget?) {
    #expect(MemoryTarget(text) == target)
    #expect(target.map { MemoryTarget($0.text) == $0 } ?? true)
  }
}
