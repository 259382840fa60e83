import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import Testing

@Suite struct InputShapesTests {
  private func shapes(_ inputs: String, given: [String: [Int]] = [:]) throws -> [String: [Int]] {
    InputShapes(for: try parseModel("main (\(inputs)) => () { }").graph, given: given).extents
  }

  @Test func extentsOfOneNameAreTheSame() throws {
    #expect(try shapes("float[M,K] a, float[K,N] b") == ["a": [1, 128], "b": [128, 128]])
    #expect(
      try shapes("float[M,K] a, float[K,N] b", given: ["b": [7, 9]]) == [
        "a": [1, 7], "b": [7, 9],
      ])
  }

  @Test func batchIsOneAndImagesAreLarge() throws {
    #expect(try shapes("float[N,3,H,W] x") == ["x": [1, 3, 224, 224]])
  }

  /// A recurrent state has its batch on another axis, known by its name.
  @Test func batchesOnOtherAxes() throws {
    let shapes = InputShapes(
      for: try parseModel(
        "main (float[B,T] x, float[2,B,16] state, float[4,S] other) => () { }"
      ).graph)
    #expect(shapes.openBatches == ["x": [0], "state": [1]])
    #expect(shapes.extents(ofInput: "x", batch: 3) == [3, 128])
    #expect(shapes.extents(ofInput: "state", batch: 3) == [2, 3, 16])
    #expect(shapes.extents(ofInput: "other", batch: 3) == [4, 128])
  }

  @Test func nameForWhateverIsOpenIsNone() throws {
    #expect(try shapes("float[N,3,N,N] x") == ["x": [1, 3, 224, 224]])
  }

  // MARK: What a graph can run with

  private func found(_ text: String, given: [String: [Int]] = [:]) throws -> InputShapes {
    InputShapes(for: try parseModel(text).graph, given: given)
  }

  /// A height that a pooling and a Squeeze admit, and the width that they leave alone.
  @Test func heightThatOnlyFewExtentsFit() throws {
    let shapes = try found(
      """
      main (float[N,3,H,W] x) => (float[N,8,M] y)
      <float[8,3,3,3] w = {...}, int64[1] two = {2}>
      {
        c = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, w)
        p = AveragePool <kernel_shape = [24, 1], strides = [24, 1]> (c)
        y = Squeeze (p, two)
      }
      """)
    #expect(shapes.extents == ["x": [1, 3, 48, 224]])
    #expect(shapes.decided == ["x"])
    #expect(shapes.openBatches == ["x": [0]])
    #expect(shapes.refusal == nil)
    #expect(shapes.extents(ofInput: "x", batch: 2) == [2, 3, 48, 224])
  }

  @Test func kernelLargerThanTheNominalExtent() throws {
    let shapes = try found(
      """
      main (float[N,1,L] x) => (float[N,8,M] y) <float[8,1,250] w = {...}> { y = Conv (x, w) }
      """)
    #expect(shapes.extents == ["x": [1, 1, 256]])
  }

  /// Two extents of which one is a multiple of the other, and a number of channels that is left open.
  @Test func extentsThatDifferFromEachOther() throws {
    let shapes = try found(
      """
      main (float[N,C,H,W] x, float[N,S] a, float[N,T] b) => (float[N,8,M,K] y, float[N,R] z)
      <float[8,3,3,3] w = {...}>
      {
        y = Conv (x, w)
        d = Concat <axis = 1> (a, a)
        z = Add (d, b)
      }
      """)
    #expect(shapes.refusal == nil)
    #expect(shapes.extents["x"]?[1] == 3)
    #expect(shapes.extents["b"]?[1] == shapes.extents["a"].map { 2 * $0[1] })
  }

  @Test func whatNothingFitsIsRefused() throws {
    let shapes = try found(
      """
      main (float[N,L] x) => (float[N,2] y) <int64[2] target = {-1, 7}, float[3,2] w = {...}> {
        r = Reshape (x, target)
        y = MatMul (r, w)
      }
      """)
    #expect(shapes.extents == ["x": [1, 128]])
    #expect(shapes.refusal?.message.isEmpty == false)
  }

  @Test func onlyBatchesAreNoDecision() throws {
    let shapes = try found("main (float[N,3] x) => (float[N,3] y) { y = Relu (x) }")
    #expect(shapes.decided == [])
    #expect(shapes.openBatches == ["x": [0]])
  }

  @Test func givenShapesMustBeOnesThatAreDeclared() throws {
    let graph = try parseModel("main (float[N,3] x, float n) => () { }").graph
    try InputShapes.validate(["x": [0, 3], "n": []], for: graph)
    for (given, message) in [
      (["y": [1]], "the model has no input 'y'; its inputs are x, n"),
      (["x": [3]], "a shape of [3] does not fit what the model declares: [N, 3]"),
      (["x": [1, 4]], "a shape of [1, 4] does not fit what the model declares: [N, 3]"),
      (["n": [1]], "a shape of [1] does not fit what the model declares: []"),
    ] {
      let error = #expect(throws: CompileError.self) {
        try InputShapes.validate(given, for: graph)
      }
      #expect(error?.kind == .usage)
      #expect(error?.diagnostics[0].message == message)
    }
  }

  @Test func costsAreCountedForTheShapes() throws {
    let graph = try parseModel(
      "main (float[N,L,4] x) => (float[N,L,2] y) <float[4,2] w = {...}> { y = MatMul (x, w) }"
    ).graph
    let facts = try GraphFacts(of: graph)
    #expect(Cost(of: graph, facts).macs == 128 * 8)
    let given = InputShapes(for: graph, given: ["x": [3, 5, 4]])
    #expect(Cost(of: graph, facts, given).macs == 15 * 8)
    // With an empty batch nothing could be counted.
    let empty = InputShapes(for: graph, given: ["x": [0, 5, 4]])
    #expect(Cost(of: graph, facts, empty).macs == 5 * 8)
  }
}
