import PrunecGraphIR
import PrunecONNXText
import PrunecRuntime
import PrunecSemantics
import PrunecTensors
import Testing

/// Graphs of If, Loop and Scan run by kernels give what the reference gives.
@Suite struct BodySessionTests {
  private func agrees(_ text: String, _ runs: [[Tensor]]) throws {
    let graph = try parseModel(text).graph
    let session = Session(graph, threadCount: 2)
    for inputs in runs {
      let results = try session.run(inputs)
      let expected = try ReferenceEvaluator(graph).run(inputs)
      #expect(results.count == expected.count)
      for (result, right) in zip(results, expected) {
        #expect(result.shape == right.shape)
        #expect(result.elementType == right.elementType)
        #expect(zip(result.floats, right.floats).allSatisfy { abs($0 - $1) <= 1e-5 })
      }
    }
  }

  private func truth(_ value: Bool) -> Tensor {
    Tensor(.bool, shape: [], elements: [value ? 1 : 0 as UInt8])
  }

  private func ramp(_ shape: [Int]) -> Tensor {
    let count = shape.reduce(1, *)
    return Tensor((0..<count).map { Float($0 % 7) * 0.25 - 0.5 }, shape: shape)
  }

  /// Weights lie in the branch and around it, and a target shape is computed outside.
  @Test func branches() throws {
    let text = """
      <ir_version: 8, opset_import: ["" : 17]>
      main (bool c, float[N, 4, L] x) => (float[A, B] y)
      <float[3, 4, 3] w = {...}>
      {
        shape = Shape <end = 1> (x)
        rest = Constant <value = int64[1] {-1}> ()
        target = Concat <axis = 0> (shape, rest)
        y = If (c) <
          then_branch = t () => (float[A, B] u) {
            p = Conv <pads = [1, 1]> (x, w)
            q = Relu (p)
            u = Reshape (q, target)
          },
          else_branch = e () => (float[A, B] v) <float[5, 4, 1] k = {...}> {
            r = Conv (x, k)
            s = Sigmoid (r)
            v = Reshape (s, target)
          }>
      }
      """
    var runs: [[Tensor]] = []
    for shape in [[1, 4, 6], [2, 4, 5], [1, 4, 6]] {
      runs += [[truth(true), ramp(shape)], [truth(false), ramp(shape)]]
    }
    try agrees(text, runs)
  }

  /// A carried value that grows, one that never changes and is a weight, and slices.
  @Test func loops() throws {
    let text = """
      <ir_version: 8, opset_import: ["" : 17]>
      main (int64 count, float[1, 3] x) => (float[R, 3] grown, float[3, 3] same, float[K, 1, 3] all)
      <float[3, 3] w = {...}, float[3] b = {...}>
      {
        grown, same, all = Loop (count, , x, w) <
          body = f (int64 i, bool c, float[1, 3] v, float[3, 3] m)
            => (bool go, float[1, 3] next, float[3, 3] m, float[1, 3] row)
          {
            go = Identity (c)
            last = Constant <value = int64[1] {-1}> ()
            end = Constant <value = int64[1] {9999}> ()
            rows = Constant <value = int64[1] {0}> ()
            tail = Slice (v, last, end, rows)
            p = MatMul (tail, m)
            q = Add (p, b)
            row = Tanh (q)
            next = Concat <axis = 0> (v, row)
          }>
      }
      """
    try agrees(
      text,
      [0, 1, 5, 20].map { (count: Int) in [Tensor([count] as [Int], shape: []), ramp([1, 3])] })
  }

  @Test func scans() throws {
    let text = """
      <ir_version: 8, opset_import: ["" : 17]>
      main (float[2, 3] state, float[T, 2, 4] x) => (float[2, 3] last, float[2, T, 3] all)
      <float[4, 3] w = {...}>
      {
        last, all = Scan <num_scan_inputs = 1, scan_output_axes = [1],
          body = f (float[2, 3] h, float[2, 4] s) => (float[2, 3] next, float[2, 3] out) {
            p = MatMul (s, w)
            q = Add (p, h)
            next = Tanh (q)
            out = Relu (next)
          }> (state, x)
      }
      """
    try agrees(text, [[ramp([2, 3]), ramp([5, 2, 4])], [ramp([2, 3]), ramp([1, 2, 4])]])
  }

  /// Of the sides of a Merge the session and the reference execute the one that is chosen: the other does not fit these
  /// inputs.
  @Test func mergesAreLazy() throws {
    let text = """
      <ir_version: 8, opset_import: ["" : 17, "ai.prunec" : 1]>
      main (bool c, float[N, 4] x) => (float[2, M] y)
      <int64[2] pairs = {2, 6}, float[4, 3] w = {...}>
      {
        t = Reshape (x, pairs)
        p = Relu (t)
        m = MatMul (x, w)
        q = Tanh (m)
        y = ai.prunec.Merge (c, p, q)
      }
      """
    let session = Session(try parseModel(text).graph, threadCount: 1)
    let x = ramp([2, 4])
    let expected = try ReferenceEvaluator(
      parseModel(
        """
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[2, 4] x) => (float[2, 3] q) <float[4, 3] w = {...}> {
          m = MatMul (x, w)
          q = Tanh (m)
        }
        """
      ).graph
    ).run([x])[0]
    let result = try session.run([truth(false), x])[0]
    #expect(result.shape == [2, 3])
    #expect(zip(result.floats, expected.floats).allSatisfy { abs($0 - $1) <= 1e-6 })
    #expect(
      try ReferenceEvaluator(parseModel(text).graph).run([truth(false), x])[0].floats
        == expected.floats)
    #expect(throws: CompileError.self) { try session.run([truth(true), x]) }
    #expect(try session.run([truth(true), ramp([3, 4])])[0].shape == [2, 6])
  }

  /// Slices that no iteration has made have the extents that inference knows of them.
  @Test func loopsWithoutAnIteration() throws {
    let text = """
      <ir_version: 8, opset_import: ["" : 17]>
      main (float[T, 3] x) => (float[A, B, C] y)
      {
        all = Scan <num_scan_inputs = 1, body = f (float[U] s) => (float[V, W] row) {
          first = Constant <value = int64[1] {0}> ()
          row = Unsqueeze (s, first)
        }> (x)
        y = Relu (all)
      }
      """
    let session = Session(try parseModel(text).graph, threadCount: 1)
    #expect(try session.run([Tensor([Float](), shape: [0, 3])])[0].shape == [0, 1, 3])
    #expect(try session.run([ramp([2, 3])])[0].shape == [2, 1, 3])
  }

  /// Inputs stay in place from one iteration to the next only where they are the same: carried values that change places, a
  /// captured one that differs from run to run, and weights of a Constant node.
  @Test func inputsThatStayAndChange() throws {
    let weights = (0..<9).map { "\(Float($0 % 5) * 0.25 - 0.5)" }.joined(separator: ", ")
    let text = """
      <ir_version: 8, opset_import: ["" : 17]>
      main (int64 count, float[3, 3] x) => (float[3, 3] y, float[3, 3] z, float[K, 3, 3] all)
      {
        k = Exp (x)
        n = Neg (x)
        w = Constant <value = float[3, 3] {\(weights)}> ()
        y, z, s, all = Loop (count, , x, n, w) <
          body = f (int64 i, bool c, float[3, 3] a, float[3, 3] b, float[3, 3] m)
            => (bool go, float[3, 3] b, float[3, 3] a, float[3, 3] m, float[3, 3] row)
          {
            go = Identity (c)
            p = MatMul (a, m)
            q = MatMul (p, k)
            row = Sub (q, b)
          }>
      }
      """
    let inputs = [ramp([3, 3]), Tensor((0..<9).map { Float($0) * 0.1 }, shape: [3, 3])]
    try agrees(
      text, [3, 4].flatMap { (count: Int) in inputs.map { [Tensor([count], shape: []), $0] } })
  }

  /// Of branches that hand on what they are given, and of graphs within graphs.
  @Test func bodiesInBodies() throws {
    let text = """
      <ir_version: 8, opset_import: ["" : 17]>
      main (bool c, int64 count, float[2, 3] x) => (float[2, 3] y)
      <float[3, 3] w = {...}>
      {
        y = If (c) <
          then_branch = t () => (float[2, 3] u) {
            u = Loop (count, , x) <
              body = f (int64 i, bool g, float[2, 3] v) => (bool go, float[2, 3] next) {
                go = Identity (g)
                p = MatMul (v, w)
                next = Tanh (p)
              }>
          },
          else_branch = e () => (float[2, 3] z) { z = Identity (x) }>
      }
      """
    let count = Tensor([3] as [Int], shape: [])
    try agrees(text, [[truth(true), count, ramp([2, 3])], [truth(false), count, ramp([2, 3])]])
  }
}
