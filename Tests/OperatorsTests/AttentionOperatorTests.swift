import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

/// The expected numbers are those of ONNX's reference implementation.
@Suite struct AttentionOperatorTests {
  /// `-0.75, -0.5 ... 0.75`, again and again.
  private func ramp(_ shape: Int...) -> ValueFacts {
    let elements = (0..<shape.elementCount).map { (Float($0 % 7) - 3) / 4 }
    return ValueFacts(constant: Tensor(elements, shape: shape))
  }

  private func attention(
    _ operands: [ValueFacts?], results: Int = 1, _ attributes: [Attribute] = []
  ) -> OperatorCase {
    OperatorCase("Attention", opset: 25, operands, results: results, attributes)
  }

  // MARK: Evaluation

  @Test func queriesSeeWhatCameBefore() throws {
    let results = try attention(
      [ramp(1, 2, 2, 2), ramp(1, 1, 3, 2), ramp(1, 1, 3, 1)], results: 4,
      [Attribute("qk_matmul_output_mode", 3), Attribute("is_causal", 1)]
    ).evaluate()
    #expect(isClose(results[0].floats, [-0.75, -0.630521, -0.75, -0.625]))
    #expect(results[0].shape == [1, 2, 2, 1])
    #expect(results[1].shape == [1, 1, 3, 2])
    #expect(
      isClose(results[3].floats, [1, 0, 0, 0.522083, 0.477917, 0, 1, 0, 0, 0.5, 0.5, 0]))
  }

  @Test func headsInOneAxis() throws {
    let y = try attention(
      [ramp(1, 2, 4), ramp(1, 2, 2), ramp(1, 2, 4)],
      [
        Attribute("q_num_heads", 2), Attribute("kv_num_heads", 1),
        Attribute("softcap", Float(0.5)), Attribute("scale", Float(2)),
      ]
    ).evaluate()[0]
    #expect(y.shape == [1, 2, 8])
    #expect(
      isClose(
        y.floats,
        [
          -0.295108, -0.0451081, 0.204892, -0.341169, -0.298625, -0.0486246, 0.201375, -0.338532,
          -0.163812, 0.0861879, 0.336188, -0.439641, -0.25, 0, 0.25, -0.375,
        ]))
  }

  @Test func keysFromThePast() throws {
    let results = try attention(
      [
        ramp(1, 1, 1, 2), ramp(1, 1, 1, 2), ramp(1, 1, 1, 1), nil, ramp(1, 1, 2, 2),
        ramp(1, 1, 2, 1),
      ], results: 3
    ).evaluate()
    #expect(isClose(results[0].floats, [-0.689194]))
    #expect(results[1].floats == [-0.75, -0.5, -0.25, 0, -0.75, -0.5])
    #expect(results[2].floats == [-0.75, -0.5, -0.75])
  }

  /// A mask that is shorter takes the last keys out, and a query without keys gives zero.
  @Test func masks() throws {
    let operands = [ramp(1, 1, 2, 2), ramp(1, 1, 3, 2), ramp(1, 1, 3, 1)]
    let y = try attention(operands + [.truths([1, 0, 0, 0], 2, 2)]).evaluate()[0]
    #expect(y.floats == [-0.75, 0])
    let added = try attention(operands + [.constant([-.infinity, 0, -.infinity], 3)]).evaluate()[0]
    #expect(added.floats == [-0.5, -0.5])
    let lengths = ValueFacts(constant: Tensor([1]))
    let padded = try attention(operands + [nil, nil, nil, lengths]).evaluate()[0]
    #expect(padded.floats == [-0.75, -0.75])
    #expect(attention(operands + [.constant([0, 0], 1, 2, 1, 1)]).refusesToEvaluate())
    #expect(
      attention(operands + [nil, nil, nil, ValueFacts(constant: Tensor([1, 1]))])
        .refusesToEvaluate())
  }

  @Test func windows() throws {
    let operands = [
      ramp(1, 1, 3, 1), ramp(1, 1, 3, 1), ValueFacts.constant([1, 2, 4], 1, 1, 3, 1),
    ]
    let own = try attention(
      operands, [Attribute("left_window_size", 0), Attribute("right_window_size", 0)]
    ).evaluate()[0]
    #expect(own.floats == [1, 2, 4])
    let before = try attention(
      operands, [Attribute("left_window_size", 0), Attribute("is_causal", 1)]
    ).evaluate()[0]
    #expect(before.floats == [1, 2, 4])
  }

  // MARK: Facts

  @Test func infers() throws {
    let separate = attention(
      [.float(-1, 6, -1, 4), .float(-1, 2, 5, 4), .float(-1, 2, 5, 3)], results: 4)
    #expect(try separate.shape() == "n 6 n 3")
    #expect(try separate.shape(1) == "n 2 5 4")
    #expect(try separate.shape(3) == "n 6 n 5")
    let joined = attention(
      [.float(2, 7, 24), .float(2, 5, 8), .float(2, 5, 6)],
      [Attribute("q_num_heads", 6), Attribute("kv_num_heads", 2)])
    #expect(try joined.shape() == "2 7 18")
    #expect(try joined.macs() == 2 * 7 * 24 * 5 + 2 * 7 * 18 * 5)
  }

  @Test func refuses() {
    let (q, k) = (ValueFacts.float(1, 4, 3, 2), ValueFacts.float(1, 2, 5, 2))
    #expect(attention([q, k, k]).refusal() == nil)
    #expect(
      attention([q, .float(1, 3, 5, 2), .float(1, 3, 5, 2)]).refusal()
        == "4, 3 and 3 heads do not go together")
    #expect(
      attention([q, .float(1, 2, 5, 3), k]).refusal()
        == "heads of 2 and 3 dimensions do not go together")
    #expect(
      attention([q, k, .float(1, 2, 6, 2)]).refusal() == "extents [5, 6] do not go together")
    #expect(attention([q, k, .float(1, 5, 4)]).refusal() != nil)
    #expect(
      attention([q, k, k, nil, k]).refusal() == "there is only one of past_key and past_value")
    #expect(
      attention([q, k, k, nil, .float(1, 2, 5, 3), k]).refusal()
        == "operand 4 has extent 3 instead of 2")
    #expect(
      attention([.float(1, 3, 8), .float(1, 3, 8), .float(1, 3, 8)]).refusal()
        == "the number of heads is not given")
    for number in hostileNumbers {
      #expect(attention([q, k, k], [Attribute("qk_matmul_output_mode", number)]).refusal() != nil)
      #expect(attention([q, k, k], [Attribute("softmax_precision", number)]).refusal() != nil)
      let flat = ValueFacts.float(1, 3, 8)
      #expect(
        attention(
          [flat, flat, flat],
          [Attribute("q_num_heads", number), Attribute("kv_num_heads", number)]
        ).refusal() != nil)
      let windows = ["left_window_size", "right_window_size"].map { Attribute($0, number) }
      if number < 0 { #expect(attention([q, k, k], windows).refusal() != nil) }
      _ = try? attention([ramp(1, 1, 2, 1), ramp(1, 1, 2, 1), ramp(1, 1, 2, 1)], windows).evaluate()
    }
  }

  // MARK: Channels

  @Test func headsAndDimensions() throws {
    let call = attention(
      [.float(-1, 4, 3, 2), .float(-1, 4, 5, 2), .float(-1, 4, 5, 6), .float(1, 4, 3, 5)],
      results: 4)
    #expect(
      try call.relations() == [
        "X0.1 = X1.1", "X0.3 = X1.3", "X2.1 = X1.1", "sum X0.3", "sum X1.3", "X3.1 = X1.1",
        "Y0.1 = X1.1", "Y0.3 = X2.3", "Y1.1 = X1.1", "Y1.3 = X1.3", "Y2.1 = X1.1", "Y2.3 = X2.3",
        "Y3.1 = X1.1",
      ])
  }

  @Test func groupsOfHeadsInOneAxis() throws {
    let call = attention(
      [.float(2, 7, 24), .float(2, 5, 8), .float(2, 5, 6)],
      [Attribute("q_num_heads", 6), Attribute("kv_num_heads", 2)])
    #expect(
      try call.relations() == [
        "V3(6) = V0(2) * V4(3)", "X0.2 = V3(6) * V1(4)", "X1.2 = V0(2) * V1(4)",
        "X2.2 = V0(2) * V2(3)", "sum X0.2", "sum X1.2", "Y0.2 = V3(6) * V2(3)",
      ])
    // The second head of keys, with its three query heads.
    let heads: [AxisReference: [Int]] = [
      .operand(0, axis: 2): Array(0..<12), .operand(1, axis: 2): Array(0..<4),
      .operand(2, axis: 2): Array(0..<3), .result(axis: 2): Array(0..<9),
    ]
    #expect(try call.adaptations(heads) == ["q_num_heads=3", "kv_num_heads=1"])
    let dimensions: [AxisReference: [Int]] = [
      .operand(0, axis: 2): (0..<24).filter { $0 % 4 < 2 },
      .operand(1, axis: 2): (0..<8).filter { $0 % 4 < 2 },
    ]
    let changes = try call.implementation.adapt(call.call, to: Cut(dimensions))
    guard case .attribute(let scale)? = changes.first, case .float(0.5) = scale.value else {
      Issue.record("the scale is not that of four dimensions: \(changes)")
      return
    }
    #expect(changes.count == 1 && scale.name == "scale")
  }

  @Test func whatStaysComputesWhatItDid() throws {
    let call = attention(
      [ramp(2, 2, 8), ramp(2, 3, 4), ramp(2, 3, 6)],
      [Attribute("q_num_heads", 4), Attribute("kv_num_heads", 2), Attribute("is_causal", 1)])
    let head: [AxisReference: [Int]] = [
      .operand(0, axis: 2): [4, 5, 6, 7], .operand(1, axis: 2): [2, 3],
      .operand(2, axis: 2): [3, 4, 5], .result(axis: 2): [6, 7, 8, 9, 10, 11],
    ]
    #expect(try call.commutes(withCut: head))
    let value: [AxisReference: [Int]] = [
      .operand(2, axis: 2): [0, 2, 3, 5], .result(axis: 2): [0, 2, 3, 5, 6, 8, 9, 11],
    ]
    #expect(try call.commutes(withCut: value))
  }

  @Test func masksOfUnknownHeadsPin() throws {
    let mask = ValueFacts(.float32, [.unknown, .fixed(3), .fixed(5)])
    let call = attention([.float(1, 4, 3, 2), .float(1, 4, 5, 2), .float(1, 4, 5, 6), mask])
    #expect(try call.relations().contains("pin X1.1"))
  }

  // MARK: RotaryEmbedding

  @Test func turnsHalves() throws {
    let shifted = ValueFacts(
      constant: Tensor(ramp(1, 2, 2).constant!.floats.map { $0 + 0.5 }, shape: [1, 2, 2]))
    let call = OperatorCase(
      "RotaryEmbedding", opset: 23, [ramp(1, 2, 2, 4), ramp(1, 2, 2), shifted])
    #expect(
      isClose(
        try call.evaluate()[0].floats,
        [
          0.5, 0.25, 0.375, 0, -0.25, 0.375, -0.125, 0.25, 0.375, 0.125, 0.125, -0.125, 0.0625,
          0.25, 0.3125, 0.375,
        ]))
    #expect(
      try call.relations() == [
        "X0.1 = Y0.1", "X0.3 = Y0.3", "X1.2 = X2.2", "X1.2 = X0.3 from 0 by 1",
        "X1.2 = X0.3 from 2 by 1",
      ])
    let pair: [AxisReference: [Int]] = [
      .operand(0, axis: 3): [1, 3], .operand(1, axis: 2): [1], .operand(2, axis: 2): [1],
      .result(axis: 3): [1, 3],
    ]
    #expect(try call.commutes(withCut: pair))
  }

  private func partial(positions: [Int]) -> OperatorCase {
    let shifted = ValueFacts(
      constant: Tensor(ramp(3, 1).constant!.floats.map { $0 + 0.5 }, shape: [3, 1]))
    return OperatorCase(
      "RotaryEmbedding", opset: 23,
      [
        ramp(1, 2, 8), ramp(3, 1), shifted,
        ValueFacts(constant: Tensor(positions, shape: [1, 2])),
      ],
      [
        Attribute("num_heads", 2), Attribute("rotary_embedding_dim", 2),
        Attribute("interleaved", 1),
      ])
  }

  @Test func turnsNeighboursInPart() throws {
    let call = partial(positions: [2, 0])
    #expect(
      isClose(
        try call.evaluate()[0].floats,
        [
          0.3125, -0.0625, -0.25, 0, -0.1875, -0.0625, 0.75, -0.75, 0.3125, 0.3125, 0, 0.25,
          -0.1875, -0.6875, -0.75, -0.5,
        ]))
    #expect(
      try call.relations() == [
        "X0.2 = V1(2) * V0(4)", "X0.2 = Y0.2", "X1.1 = X2.1", "X1.1 = V0(4) from 0 by 2",
        "X1.1 = V0(4) from 1 by 2",
      ])
    let head: [AxisReference: [Int]] = [
      .operand(0, axis: 2): [4, 5, 6, 7], .result(axis: 2): [4, 5, 6, 7],
    ]
    #expect(try call.adaptations(head) == ["num_heads=1"])
    #expect(try call.commutes(withCut: head))
    let unturned: [AxisReference: [Int]] = [
      .operand(0, axis: 2): [0, 1, 3, 4, 5, 7], .result(axis: 2): [0, 1, 3, 4, 5, 7],
    ]
    #expect(try call.commutes(withCut: unturned))
    #expect(partial(positions: [3, 0]).refusesToEvaluate())
    #expect(partial(positions: [-1, 0]).refusesToEvaluate())
  }

  @Test func rotaryRefusals() {
    func refusal(_ attributes: [Attribute]) -> String? {
      OperatorCase(
        "RotaryEmbedding", opset: 23, [.float(1, 2, 8), .float(3, 2), .float(3, 2), .integers(0)],
        attributes
      ).refusal()
    }
    #expect(refusal([]) == "the number of heads is not given")
    #expect(refusal([Attribute("num_heads", 2)]) == nil)
    #expect(refusal([Attribute("num_heads", 4)]) == "operand 1 is not for 1 pairs")
    #expect(refusal([Attribute("num_heads", 8)]) == "1 of 1 dimensions cannot be turned")
    for number in hostileNumbers {
      #expect(refusal([Attribute("num_heads", number)]) != nil)
      #expect(
        refusal([Attribute("num_heads", 2), Attribute("rotary_embedding_dim", number)]) != nil)
    }
  }
}
