import PrunecGraphIR
import PrunecPasses
import PrunecSemantics
import PrunecTensors
import PrunecTestSupport
import Testing

@Suite struct MergeNeuronsTests {
  /// The numbers are checked by hand in the files.
  @Test func goldens() throws { try expectGoldens(of: MergeNeurons.self) }

  private func outputs(_ graph: Graph, seed: UInt64) throws -> [Tensor] {
    try ReferenceEvaluator(graph).run(SeededInputs(seed: seed).tensors(for: graph))
  }

  /// A removed channel that is a multiple of a kept one is made up for exactly.
  @Test(arguments: ["norm", "least-squares"])
  func parallelChannelsLoseNothing(_ scale: String) throws {
    func text(_ mask: String) -> String {
      """
      main (float[3,2] x) => (float[3,2] y)
      <
        float[4,2] w = {1, -2, 2, -4, 3, 1, 0.75, 0.25}, float[4] b = {1, 2, -1, -0.25},
        float[2,4] v = {1, 2, 3, 4, 5, 6, 7, 8}
      >
      {
        h = Gemm <transB = 1> (x, w, b)
        r = Relu (h)
        \(mask)
        y = Gemm <transB = 1> (m, v)
      }
      """
    }
    let masked = try PassRun("", on: text("m = ai.prunec.Mask <axis = 1, keep = [1, 2]> (r)"))
    let merged = try PassRun("merge-neurons{scale=\(scale)}", on: masked.model)
    let whole = try PassRun("", on: text("m = Identity (r)"))
    let expected = try outputs(whole.graph, seed: 1)
    #expect(Comparison(try outputs(merged.graph, seed: 1), expected: expected).maxRelative < 1e-6)
    #expect(Comparison(try outputs(masked.graph, seed: 1), expected: expected).maxRelative > 0.1)
  }

  /// The scale through a folded normalization: with `w_p = 2 w_k`, scales 3 and 1 and deviations 1
  /// and 4 it is `2 (3 / 1) (4 / 1)`, as mean and shift leave no bias.
  @Test func scaleThroughAFoldedNormalization() throws {
    let run = try PassRun(
      "fold-batch-norm,merge-neurons",
      on: """
        main (float[1,1,4] x) => (float[1,1,4] y)
        <
          float[2,1,1] w = {2, 1}, float[2] scale = {3, 1}, float[2] zero = {0, 0},
          float[2] variance = {1, 16}, float[1,2,1] v = {1, 5}
        >
        {
          h = Conv (x, w)
          n = BatchNormalization <epsilon = 0.0> (h, scale, zero, zero, variance)
          r = Relu (n)
          m = ai.prunec.Mask <axis = 1, keep = [1]> (r)
          y = Conv (m, v)
        }
        """)
    let weight = try #require(run.graph.value(named: "v").flatMap { run.graph[$0].constant })
    #expect(weight.floats == [1, 29])
  }

  private func consumer(_ activation: String, w: String, options: String) throws -> [Float] {
    let run = try PassRun(
      "merge-neurons{\(options)}",
      on: """
        main (float[1,2] x) => (float[1,1] y)
        <float[3,2] w = {\(w)}, float[1,3] v = {10, 1, 2}>
        {
          h = Gemm <transB = 1> (x, w)
          r = \(activation) (h)
          m = ai.prunec.Mask <axis = 1, keep = [1, 2]> (r)
          y = Gemm <transB = 1> (m, v)
        }
        """)
    return try #require(run.graph.value(named: "v").flatMap { run.graph[$0].constant }).floats
  }

  private func isClose(_ actual: [Float], _ expected: [Float]) -> Bool {
    actual.count == expected.count && zip(actual, expected).allSatisfy { abs($0 - $1) < 1e-4 }
  }

  /// Without a twin, 3 4 is 0.6 times 5 0 and 0.8 times 0 5; the ridge takes a thousandth of that.
  @Test func spreadOverAllKeptChannels() throws {
    let weight = try consumer("Identity", w: "3, 4, 5, 0, 0, 5", options: "threshold=1")
    #expect(isClose(weight, [10, 1 + 6 / 1.001, 2 + 8 / 1.001]))
  }

  /// Behind a Relu, rows at right angles have moments `|a| |b| / 2 pi`, and a row with itself half
  /// its square. For 0 2, 1 0 and 0 -1 the equations are `(a + b / pi) / 2 = 1 / pi` and
  /// `(a / pi + b) / 2 = 0`, for opposite rows have none in common.
  @Test func spreadBehindARelu() throws {
    let weight = try consumer("Relu", w: "0, 2, 1, 0, 0, -1", options: "threshold=0.45")
    let (diagonal, side) = (0.5 * 1.001, 1 / (2 * Double.pi))
    let determinant = diagonal * diagonal - side * side
    let a = diagonal * 2 * side / determinant
    let b = -side * 2 * side / determinant
    #expect(isClose(weight, [10, Float(1 + 10 * a), Float(2 + 10 * b)]))
  }

  @Test func channelsWithoutATwinCanBeDropped() throws {
    let options = "threshold=1 rest=drop"
    #expect(try consumer("Relu", w: "3, 4, 5, 0, 0, 5", options: options) == [10, 1, 2])
  }

  @Test func mergedAndShrunkAgree() throws {
    let run = try PassRun(
      "score-channels,mask-channels{ratio=0.5 align=1},merge-neurons{threshold=0},shrink-channels",
      on: """
        main (float[1,2,6,6] x) => (float[1,3] y)
        <
          float[8,2,3,3] w = {...}, float[8] b = {...}, float[8,8,3,3] u = {...},
          float[3,32] v = {...}
        >
        {
          h = Conv (x, w, b)
          r = Relu (h)
          g = Conv (r, u)
          s = Relu (g)
          f = Flatten (s)
          y = Gemm <transB = 1> (f, v)
        }
        """)
    #expect(run.unchecked.isEmpty)
    let weight = try #require(run.graph.value(named: "v").flatMap { run.graph[$0].constant })
    #expect(weight.shape == [3, 16])
  }

  @Test(arguments: [
    ("threshold=2", "threshold=2 is not a number from -1.0 to 1.0"),
    ("scale=ratio", "scale=ratio is not one of norm, least-squares"),
    ("rest=keep", "rest=keep is not one of spread, drop"),
  ])
  func wrongOptions(_ options: String, _ message: String) {
    let error = compileError {
      _ = try PassRun("merge-neurons{\(options)}", on: "g (float[1] x) => (float[1] x) {}")
    }
    #expect(error?.kind == .usage)
    #expect(error?.description.contains(message) == true)
  }
}
