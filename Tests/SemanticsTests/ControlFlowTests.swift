import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import PrunecTensors
import Testing

/// If, Loop and Scan run the graphs that they hold.
@Suite struct ControlFlowTests {
  private func run(_ text: String, _ inputs: [Tensor]) throws -> [Tensor] {
    try ReferenceEvaluator(parseModel(text).graph).run(inputs)
  }

  private func truth(_ value: Bool) -> Tensor {
    Tensor(.bool, shape: [], elements: [value ? 1 : 0 as UInt8])
  }

  private func vector(_ elements: Float...) -> Tensor {
    Tensor(elements, shape: [elements.count])
  }

  /// Branches take what they need from around them, however deep.
  @Test func branches() throws {
    let text = """
      main (bool c, bool d, float[2] x) => (float[2] y)
      <float[2] w = {1, 2}>
      {
        a = Add (x, w)
        y = If (c) <
          then_branch = t () => (float[2] u) {
            b = Neg (a)
            u = If (d) <
              then_branch = tt () => (float[2] v) { v = Add (b, x) },
              else_branch = te () => (float[2] v2) { v2 = Mul (b, w) }>
          },
          else_branch = e () => (float[2] z) { z = Identity (a) }>
      }
      """
    func result(_ c: Bool, _ d: Bool) throws -> [Float] {
      try run(text, [truth(c), truth(d), vector(3, 5)])[0].floats
    }
    #expect(try result(true, true) == [-1, -2])
    #expect(try result(true, false) == [-4, -14])
    #expect(try result(false, true) == [4, 7])
  }

  private static let powers = """
    main (int64 count, bool go, float[2] x, float limit) => (float[2] last, float[K,2] all)
    {
      last, all = Loop (COUNT, GO, x) <
        body = b (int64 i, bool c, float[2] v) => (bool more, float[2] next, float[2] kept) {
          next = Add (v, v)
          kept = Identity (v)
          sum = ReduceSum <keepdims = 0> (next)
          more = Less (sum, limit)
        }>
    }
    """

  private func loop(
    _ count: String, _ condition: String, _ trips: Int, _ go: Bool, limit: Float
  ) throws -> [Tensor] {
    try run(
      Self.powers.replacing("COUNT", with: count).replacing("GO", with: condition),
      [Tensor([trips], shape: []), truth(go), vector(1, 2), Tensor([limit], shape: [])])
  }

  @Test func loops() throws {
    let counted = try loop("count", "", 3, true, limit: .infinity)
    #expect(counted[0].floats == [8, 16])
    #expect(counted[1] == Tensor([1, 2, 2, 4, 4, 8], shape: [3, 2]))
    // The iteration that ends it is the last.
    let conditional = try loop("", "go", 0, true, limit: 20)
    #expect(conditional[0].floats == [8, 16])
    #expect(conditional[1].shape == [3, 2])
    #expect(try loop("count", "go", 2, true, limit: 100)[0].floats == [4, 8])
    for (trips, go) in [(0, true), (-5, true), (5, false)] {
      let none = try loop("count", "go", trips, go, limit: 20)
      #expect(none[0].floats == [1, 2])
      #expect(none[1] == Tensor([], shape: [0, 2]))
    }
  }

  @Test func scans() throws {
    let results = try run(
      """
      main (float[2] start, float[2,3] x) => (float[2] last, float[3,2] sums, float[2,3] turned)
      {
        last, sums, turned = Scan <
          num_scan_inputs = 1, scan_input_axes = [1], scan_input_directions = [1],
          scan_output_axes = [0, -1], scan_output_directions = [0, 1],
          body = b (float[2] s, float[2] v) => (float[2] next, float[2] o1, float[2] o2) {
            next = Add (s, v)
            o1 = Identity (next)
            o2 = Neg (v)
          }> (start, x)
      }
      """,
      [vector(10, 20), Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3])])
    #expect(results[0].floats == [16, 35])
    #expect(results[1] == Tensor([13, 26, 15, 31, 16, 35], shape: [3, 2]))
    #expect(results[2] == Tensor([-1, -2, -3, -4, -5, -6], shape: [2, 3]))
  }

  private func refusal(_ body: () throws -> Void) -> CompileError? {
    #expect(throws: CompileError.self, performing: body)
  }

  /// Whatever the file asks for, the effort has an end.
  @Test func endlessLoops() throws {
    func refusal(_ operands: [Tensor?], _ text: String) throws -> CompileError? {
      let graph = try parseModel(text).graph
      let flow = try #require(ControlFlow(Array(graph.nodes)[0], in: graph))
      return self.refusal { _ = try flow.evaluate(operands, captures: [], effort: 1 << 24) }
    }
    let empty = """
      main (int64 count, bool go, float[1] x) => (float[1] y, float[K,1] z)
      {
        y, z = Loop (count, go, x) <
          body = b (int64 i, bool c, float[1] v) => (bool more, float[1] next, float[1] kept) {
            more = Identity (c)
            next = Identity (v)
            kept = Identity (v)
          }>
      }
      """
    for (count, go) in [(nil, nil), (.max, true), (nil, true)] as [(Int?, Bool?)] {
      let operands = [count.map { Tensor([$0], shape: []) }, go.map(truth), vector(1)]
      let error = try refusal(operands, empty)
      #expect(error?.kind == .unsupported)
      #expect(error?.diagnostics[0].message == "takes too long to evaluate")
    }
    let growing = """
      main (int64 count, bool go, float[1] x) => (float[K] y)
      {
        y = Loop (count, go, x) <
          body = b (int64 i, bool c, float[n] v) => (bool more, float[m] next) {
            more = Identity (c)
            next = Concat <axis = 0> (v, v)
          }>
      }
      """
    let error = try refusal([Tensor([1000] as [Int], shape: []), nil, vector(1)], growing)
    #expect(error?.kind == .unsupported)
  }

  @Test func graphsThatDoNotFit() throws {
    let few = refusal {
      _ = try run(
        """
        main (bool c) => (float[1] y, float[1] z)
        {
          y, z = If (c) <
            then_branch = t () => (float[1] u) { u = Constant <value_floats = [1.0]> () },
            else_branch = e () => (float[1] v) { v = Constant <value_floats = [2.0]> () }>
        }
        """, [truth(true)])
    }
    #expect(few?.diagnostics[0].message == "its graph makes 1 of 2 results")
    let numbers = refusal { _ = try loop("limit", "go", 0, true, limit: 1) }
    #expect(numbers?.kind == .malformed)
    let condition = refusal { _ = try loop("count", "count", 1, true, limit: 1) }
    #expect(condition?.kind == .malformed)
    for (attribute, value) in [("scan_input_axes", Int.min), ("scan_output_axes", 7)] {
      let axis = refusal {
        _ = try run(
          """
          main (float[2,3] x) => (float[2,3] y)
          {
            y = Scan <
              num_scan_inputs = 1, \(attribute) = [\(value)],
              body = b (float[3] v) => (float[3] w) { w = Neg (v) }> (x)
          }
          """, [Tensor(zeros: .float32, shape: [2, 3])])
      }
      #expect(axis?.kind == .malformed)
    }
  }
}
