import PrunecDriver
import PrunecGraphIR
import PrunecONNXText
import PrunecSelection
import Testing

/// Vectors that exporters have stored once for several layers.
@Suite struct SharedVectorTests {
  /// A hidden layer's bias is the pinned output's too.
  @Test func whatPinsOneLayerLeavesTheOther() throws {
    let model = try parseModel(
      """
      main (float[N,8] x) => (float[N,32] y)
      <float[8,32] w1 = {...}, float[32,32] w2 = {...}, float[32] b = {...}>
      {
        h = Gemm (x, w1, b)
        r = Relu (h)
        y = Gemm (r, w2, b)
      }
      """)
    let result = try Pruner(halving()).prune(model)
    #expect(result.report.layers.map(\.channelsAfter) == [16, 32])
    #expect(result.report.check.status == "passed")
    // It is whole for one layer and cut for the other: no one slice of it is right.
    #expect(result.plan.initializers.keys.sorted() == ["w1", "w2"])
    #expect(result.model.graph.initializers.count == 4)
  }

  /// Both layers are cut alike, for their sum is: the copies are equal in the end, and stored once.
  @Test func copiesThatStayEqualAreOneAgain() throws {
    let model = try parseModel(
      """
      main (float[N,8] x) => (float[N,4] y)
      <float[8,32] w1 = {...}, float[8,32] w2 = {...}, float[32] b = {...}, float[32,4] w3 = {...}>
      {
        h1 = Gemm (x, w1, b)
        h2 = Gemm (x, w2, b)
        s = Add (h1, h2)
        y = MatMul (s, w3)
      }
      """)
    let result = try Pruner(halving()).prune(model)
    let graph = result.model.graph
    #expect(graph.initializers.map { graph[$0].name }.sorted() == ["b", "w1", "w2", "w3"])
    let kept = try #require(result.plan.initializers["b"]?["0"])
    #expect(kept.count == 16)
    #expect(kept == result.plan.initializers["w1"]?["1"])
    #expect(result.report.after.parameters == 2 * 8 * 16 + 16 + 16 * 4)
  }

  /// Patterns mean the original's names, whichever copy a group has.
  @Test func copiesAreKnownByTheNameOfTheOriginal() throws {
    let model = try parseModel(
      """
      main (float[N,8] x) => (float[N,4] y)
      <float[8,32] w1 = {...}, float[32,32] w2 = {...}, float[32] b = {...}, float[32,4] w3 = {...}>
      {
        h = Gemm (x, w1, b)
        r = Relu (h)
        g = Gemm (r, w2, b)
        y = MatMul (g, w3)
      }
      """)
    #expect(try Pruner(halving()).prune(model).report.layers.map(\.channelsAfter) == [16, 16, 4])
    let kept = try Pruner(halving { $0.guards.keep = ["b"] }).prune(model)
    #expect(kept.report.layers.map(\.channelsAfter) == [32, 32, 4])
  }

  /// Group normalizations as exporters write them: the normalization in the middle has ones and zeros of the
  /// number of groups, which every layer shares, and which is the number of channels of the first.
  @Test func normalizationsOverGroups() throws {
    func model(_ first: String, _ second: String) throws -> Model {
      let constants = Set([first, second]).sorted().map {
        "float[8] one\($0) = {...}, float[8] zero\($0) = {...}"
      }
      func layer(_ input: String, _ index: Int, _ suffix: String) -> String {
        """
          c\(index) = Conv <pads = [1, 1, 1, 1]> (\(input), w\(index))
          r\(index) = Reshape (c\(index), groups)
          i\(index) = InstanceNormalization (r\(index), one\(suffix), zero\(suffix))
          s\(index) = Shape (c\(index))
          b\(index) = Reshape (i\(index), s\(index))
          a\(index) = Relu (b\(index))
        """
      }
      return try parseModel(
        """
        main (float[N,3,6,6] x) => (float[N,4,6,6] y)
        <
          float[8,3,3,3] w0 = {...}, float[32,8,3,3] w1 = {...}, float[4,32,1,1] w2 = {...},
          int64[3] groups = {0, 8, -1}, \(constants.joined(separator: ", "))
        >
        {
        \(layer("x", 0, first))
        \(layer("a0", 1, second))
          y = Conv (a1, w2)
        }
        """)
    }
    let own = try Pruner(halving()).prune(model("0", "1")).report
    let shared = try Pruner(halving()).prune(model("", "")).report
    #expect(shared.layers.map(\.channelsAfter) == own.layers.map(\.channelsAfter))
    #expect(shared.layers[1].channelsAfter == 16)
    #expect(shared.check.status == "passed")
  }
}
