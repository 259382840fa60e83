import PrunecCoupling
import PrunecGraphIR
import PrunecTestSupport
import Testing

/// What may not be cut, and the reasons given.
@Suite struct PinTests {
  @Test func inputsAndOutputs() throws {
    let model = try CoupledModel(
      """
      main (float[N,3] x) => (float[N,4] y)
      <float[3,4] w1 = {...}, float[4,4] w2 = {...}>
      {
        [fc1] t = MatMul (x, w1)
        [fc2] y = MatMul (t, w2)
      }
      """)
    #expect(model.cuttable == ["fc1, 4 channels: w1[1] w2[0] t[1]"])
    #expect(model.pin(of: "w2", axis: 1) == "value 'y': is an output of the graph")
    #expect(model.cuttableAxes(of: "x") == [])
    #expect(model.cuttableAxes(of: "w1") == [1])
  }

  /// A node that is not understood pins what it touches and nothing else, and the reason names it.
  @Test func unknownOperator() throws {
    let model = try CoupledModel(
      """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,4] w1 = {...}, float[4,5] w2 = {...}, float[5,2] w3 = {...}>
      {
        [fc1] a = MatMul (x, w1)
        [odd] b = com.example.Odd (a)
        [fc2] c = MatMul (b, w2)
        [fc3] y = MatMul (c, w3)
      }
      """)
    // The operator's result has no shape, so that nothing is known of what is made from it.
    #expect(model.cuttableAxes(of: "w1") == [])
    #expect(
      model.pin(of: "w1", axis: 1)
        == "node 'odd' (com.example.Odd): operator com.example.Odd is not known in opset 1")
    let declared = try CoupledModel(
      """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,4] w1 = {...}, float[4,5] w2 = {...}, float[5,2] w3 = {...}, float[N,4] b>
      {
        [fc1] a = MatMul (x, w1)
        [odd] b = com.example.Odd (a)
        [fc2] c = MatMul (b, w2)
        [fc3] y = MatMul (c, w3)
      }
      """)
    #expect(declared.cuttable == ["fc2, 5 channels: w2[1] w3[0] c[1]"])
    #expect(declared.cuttableAxes(of: "w1") == [])
    #expect(declared.cuttableAxes(of: "w2") == [1])
  }

  /// Channels that come together when both are pinned: the reason that was found first is told.
  @Test func theFirstReasonIsTold() throws {
    let model = try CoupledModel(
      """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,4] w1 = {...}, float[3,4] w2 = {...}, float[2,2] w3 = {...},
       int64[1] start = {0}, int64[1] end = {2}, int64[1] axis = {1}>
      {
        [fc1] a = MatMul (x, w1)
        [fc2] b = MatMul (x, w2)
        [odd1] p = com.example.Odd (b)
        [odd2] q = com.example.Odd (a)
        c = Slice (a, start, end, axis)
        d = Slice (b, start, end, axis)
        s = Add (c, d)
        [fc3] y = MatMul (s, w3)
      }
      """)
    #expect(model.pin(of: "w1", axis: 1)?.hasPrefix("node 'odd1'") == true)
    #expect(model.pin(of: "w2", axis: 1)?.hasPrefix("node 'odd1'") == true)
  }

  /// Where nothing that is summed is computed, no mask could stand.
  @Test func sumsOfConstants() throws {
    let model = try CoupledModel(
      """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,4] u = {...}, float[4,2] v = {...}>
      {
        [product] w = MatMul (u, v)
        [fc] y = MatMul (x, w)
      }
      """)
    #expect(model.cuttable == [])
  }

  @Test func unknownAttribute() throws {
    let model = try CoupledModel(
      """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,4] w1 = {...}, float[4,2] w2 = {...}>
      {
        [fc1] a = MatMul (x, w1)
        [relu] b = Relu <slope = 2> (a)
        [fc2] y = MatMul (b, w2)
      }
      """)
    #expect(model.cuttable == [])
    #expect(
      model.pin(of: "w1", axis: 1) == "node 'relu' (Relu): attribute 'slope' of Relu is not known")
  }

  @Test func capturesOfSubgraphs() throws {
    let model = try CoupledModel(
      """
      main (float[N,3] x, bool c) => (float[N,2] y)
      <float[3,4] w1 = {...}, float[3,4] w2 = {...}, float[4,2] w3 = {...}, float[N,4] t>
      {
        [fc1] a = MatMul (x, w1)
        [fc2] b = MatMul (x, w2)
        [if] t = If (c) <then_branch = t () => (float[N,4] u) { u = Identity (a) },
                         else_branch = e () => (float[N,4] v) { v = Neg (a) }>
        [add] s = Add (t, b)
        [fc3] y = MatMul (s, w3)
      }
      """)
    #expect(model.cuttable == [])
    #expect(model.pin(of: "w1", axis: 1) == "node 'if' (If): is used inside a subgraph")
  }

  /// The bodies of subgraphs have captured values of their own.
  @Test func captured() throws {
    let model = try CoupledModel(
      """
      main (float[N,3] x, bool c) => (float[N,3] y)
      <float[3,3] w = {...}>
      {
        [if] y = If (c) <then_branch = t () => (float[N,3] u) { u = MatMul (x, w) },
                         else_branch = e () => (float[N,3] v) { v = Neg (x) }>
      }
      """)
    let node = model.graph.nodes.first { _ in true }!
    let body = try CoupledModel(model.graph[node].attributes[0].graphs[0])
    #expect(body.cuttable == [])
    #expect(body.cuttableAxes(of: "w") == [])
  }

  @Test func unusedConstants() throws {
    let model = try CoupledModel(
      """
      main (float[2] x) => (float[2] y) <float[4] w = {...}> { y = Relu (x) }
      """)
    #expect(model.cuttableAxes(of: "w") == [])
  }

  @Test func dynamicAxes() throws {
    let model = try CoupledModel(
      """
      main (float[N,C,H] x) => (float[N,K,H] y)
      <float[4,3,1] w = {...}>
      {
        [conv] t = Conv (x, w)
        [pad] s = Add (t, x)
        [relu] y = Relu (s)
      }
      """)
    #expect(model.cuttable == [])
    #expect(model.cuttableAxes(of: "w") == [])
  }

  /// Heights, widths and kernels are no channels.
  @Test func axesThatNoRelationMentions() throws {
    let model = try CoupledModel(
      """
      main (float[2,3,8,8] x) => (float[2,2,4,4] y)
      <float[4,3,3,3] w1 = {...}, float[2,4,1,1] w2 = {...}>
      {
        [conv1] t = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, w1)
        [conv2] y = Conv (t, w2)
      }
      """)
    #expect(model.cuttableAxes(of: "t") == [1])
    #expect(model.cuttableAxes(of: "w1") == [0])
    // Nothing is left unsaid: what is not cuttable is pinned, whether in a group or not.
    for id in model.graph.valueIDs {
      for (axis, extent) in model.coupling.axes(of: id) {
        for index in 0..<extent {
          guard let (group, channel) = model.coupling.channel(of: axis, index: index) else {
            continue
          }
          let found = model.coupling.groups[group]
          #expect(channel < found.count)
          #expect(found.members.contains { $0.axis == axis })
        }
      }
    }
  }

  @Test func targetsThatAreNotConstant() throws {
    let model = try CoupledModel(
      """
      main (float[N,3] x, int64[3] target) => (float[] y)
      <float[3,4] w = {...}>
      {
        [fc] t = MatMul (x, w)
        [reshape] y = Reshape (t, target)
      }
      """)
    #expect(model.cuttable == [])
  }
}

/// What reading an extent at run time does to the axis.
@Suite struct ExtentTests {
  private func model(_ use: String) throws -> CoupledModel {
    try CoupledModel(
      """
      main (float[N,3,5] x) => (float[N,3,2] y, int64[] z)
      <float[5,4] w1 = {...}, float[4,2] w2 = {...}, int64 i0 = {0}, int64 i1 = {1}, int64 i2 = {2}, int64[1] v0 = {0}, int64[3] order = {0, 2, 1},
       int64[1] v2 = {2}, int64[1] v3 = {3}, float scale = {2.0}, int64[1] four = {4}, int64[2] sizes = {1, 2}>
      {
        [fc1] t = MatMul (x, w1)
        [shape] s = Shape (t)
        \(use)
        [fc2] y = MatMul (t, w2)
      }
      """)
  }

  @Test func extentOfTheBatchOnly() throws {
    for use in [
      "z = Gather <axis = 0> (s, i0)", "z = Slice (s, v0, v2)",
      "z, rest = Split <axis = 0> (s, sizes)",
    ] {
      let found = try model(use)
      #expect(found.cuttableAxes(of: "w1") == [1], "\(use)")
    }
  }

  /// What is picked and then picked from counts for what is left in the end.
  @Test func pickedInSteps() throws {
    let found = try model(
      "p = Gather <axis = 0> (s, order)\n i = Slice (p, v0, v2)\n z = Gather <axis = 0> (i, i0)")
    #expect(found.cuttableAxes(of: "w1") == [1])
    let last = try model("p = Gather <axis = 0> (s, order)\n z = Gather <axis = 0> (p, i1)")
    #expect(last.cuttableAxes(of: "w1") == [])
  }

  /// An extent that is computed with would be another after cutting.
  @Test func extentInAComputation() throws {
    for use in [
      "g = Gather <axis = 0> (s, i2)\n f = Cast <to = 1> (g)\n z = Div (f, scale)",
      "z = Slice (s, v2, v3)",
      "z = Mul (s, four)",
      "f = Cast <to = 1> (s)\n z = Mul (f, scale)",
      "z = Identity (s)",
      "z = ReduceMin (s)",
    ] {
      let found = try model(use)
      #expect(found.cuttableAxes(of: "w1") == [], "\(use)")
      #expect(
        found.pin(of: "w1", axis: 1) == "node 'shape' (Shape): its extent is used in a computation",
        "\(use)")
    }
  }

  @Test func shapeOfASection() throws {
    let text = """
      main (float[N,3,5] x) => (float[N,3,2] y, int64[1] z)
      <float[5,4] w1 = {...}, float[4,2] w2 = {...}>
      {
        [fc1] t = MatMul (x, w1)
        [shape] z = Shape <start = START, end = END> (t)
        [fc2] y = MatMul (t, w2)
      }
      """
    func cuttableAxes(_ start: Int, _ end: Int) throws -> [Int] {
      try CoupledModel(
        text.replacing("START", with: "\(start)").replacing("END", with: "\(end)")
      ).cuttableAxes(of: "w1")
    }
    #expect(try cuttableAxes(0, 1) == [1])
    #expect(try cuttableAxes(-1, 3) == [])
  }
}
