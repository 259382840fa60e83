import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

/// onnxruntime's own attentions. That they compute what it does is held against it in the
/// end-to-end tests.
@Suite struct RuntimeAttentionTests {
  private func runtime(
    _ type: String, _ operands: [ValueFacts?], results: Int = 1, _ attributes: [Attribute] = []
  ) -> OperatorCase {
    OperatorCase(
      type, domain: "com.microsoft", opset: 1, operands, results: results, attributes)
  }

  /// `-0.75, -0.5 ... 0.75`, again and again.
  private func ramp(_ shape: Int...) -> ValueFacts {
    let elements = (0..<shape.elementCount).map { (Float($0 % 7) - 3) / 4 }
    return ValueFacts(constant: Tensor(elements, shape: shape))
  }

  private let twoHeads = [Attribute("num_heads", 2)]

  /// Whether the change is that of the scale to `value`.
  private func isScale(_ changes: [Adaptation], _ value: Float) -> Bool {
    guard changes.count == 1, case .attribute(let attribute)? = changes.first,
      case .float(let number) = attribute.value
    else { return false }
    return attribute.name == "scale" && number == value
  }

  // MARK: MultiHeadAttention

  @Test func headsOfThreeOperands() throws {
    let call = runtime(
      "MultiHeadAttention",
      [.float(-1, 3, 8), .float(-1, 5, 8), .float(-1, 5, 6), .float(22), nil, .float(1, 2, 3, 5)],
      results: 3, twoHeads)
    #expect(try call.shape() == "n 3 6")
    #expect(try call.shape(1) == "n 2 5 4")
    #expect(try call.shape(2) == "n 2 5 3")
    #expect(try call.macs() == 5 * 3 * (8 + 6))
    #expect(
      try call.relations() == [
        "X0.2 = V0(2) * V1(4)", "X1.2 = V0(2) * V1(4)", "X2.2 = V0(2) * V2(3)", "sum X0.2",
        "sum X1.2", "X0.2 = X3.0 from 0 by 1", "X1.2 = X3.0 from 8 by 1",
        "X2.2 = X3.0 from 16 by 1", "coefficient X3.0", "X5.1 = V0(2)", "Y0.2 = V0(2) * V2(3)",
        "Y1.1 = V0(2)", "Y1.3 = V1(4)", "Y2.1 = V0(2)", "Y2.3 = V2(3)",
      ])
  }

  @Test func keysInHeadsWithAPast() throws {
    let past = ValueFacts.float(2, 2, -1, 4)
    let call = runtime(
      "MultiHeadAttention",
      [.float(2, 3, 8), .float(2, 2, 5, 4), .float(2, 2, 5, 4), nil, nil, nil, past, past],
      twoHeads)
    #expect(try call.shape() == "2 3 8")
    #expect(
      try call.relations() == [
        "X0.2 = V0(2) * V1(4)", "X1.1 = V0(2)", "X1.3 = V1(4)", "X2.1 = V0(2)", "X2.3 = V1(4)",
        "sum X0.2", "sum X1.3", "X6.1 = V0(2)", "X6.3 = V1(4)", "sum X6.3", "X7.1 = V0(2)",
        "X7.3 = V1(4)", "Y0.2 = V0(2) * V1(4)",
      ])
  }

  @Test func keysAndValuesInHeadsAreEquallyWide() throws {
    let keys = ValueFacts.float(2, 2, 5, 4)
    let call = runtime("MultiHeadAttention", [.float(2, 3, 8), keys, keys], twoHeads)
    #expect(try call.relations().contains("X2.3 = V1(4)"))
  }

  @Test func headsAndDimensionsGo() throws {
    let call = runtime(
      "MultiHeadAttention", [ramp(2, 2, 8), ramp(2, 3, 8), ramp(2, 3, 6), ramp(22)], twoHeads)
    let head: [AxisReference: [Int]] = [
      .operand(0, axis: 2): [4, 5, 6, 7], .operand(1, axis: 2): [4, 5, 6, 7],
      .operand(2, axis: 2): [3, 4, 5], .result(axis: 2): [3, 4, 5],
      .operand(3, axis: 0): [4, 5, 6, 7, 12, 13, 14, 15, 19, 20, 21],
    ]
    #expect(try call.adaptations(head) == ["num_heads=1"])
    let dimensions: [AxisReference: [Int]] = [
      .operand(0, axis: 2): [1, 3, 5, 7], .operand(1, axis: 2): [1, 3, 5, 7],
    ]
    #expect(isScale(try call.implementation.adapt(call.call, to: Cut(dimensions)), 0.5))
    var scaled = call
    scaled.call =
      runtime(
        "MultiHeadAttention", call.call.operands, twoHeads + [Attribute("scale", Float(2))]
      ).call
    #expect(try scaled.adaptations(dimensions) == [])
    let widths: [AxisReference: [Int]] = [
      .operand(2, axis: 2): [0, 2, 3, 5], .result(axis: 2): [0, 2, 3, 5],
      .operand(3, axis: 0): Array(0..<16) + [16, 18, 19, 21],
    ]
    #expect(try call.commutes(withCut: head) && call.commutes(withCut: widths))
  }

  @Test func packedOperandsAreCarried() throws {
    let packed = runtime("MultiHeadAttention", [.float(2, 3, 2, 3, 4)], twoHeads)
    #expect(try packed.shape() == "none")
    #expect(try packed.relations() == [])
    let q = ramp(1, 1, 4)
    let shared = runtime(
      "MultiHeadAttention", [q, q, q, nil, nil, nil, nil, nil, .integers(1)], twoHeads)
    #expect(try shared.relations() == [])
    #expect(shared.refusesToEvaluate())
  }

  @Test func headsThatDoNotGoTogether() {
    func refusal(_ operands: ValueFacts?...) -> String? {
      runtime("MultiHeadAttention", operands, twoHeads).refusal()
    }
    let q = ValueFacts.float(1, 3, 8)
    #expect(refusal(q, q, q) == nil)
    let unlike = "the heads of query, key and value do not go together"
    #expect(refusal(q, .float(1, 3, 6), q) == unlike)
    #expect(refusal(q, .float(1, 3, 3, 4), .float(1, 3, 3, 4)) == unlike)
    #expect(refusal(q, q, .float(1, 3, 7)) == "7 channels do not divide into 2 heads")
    #expect(refusal(q, q, q, .float(23)) == "bias has 23 elements")
    #expect(
      refusal(q, q, q, nil, nil, nil, .float(1, 3, 5, 4)) == "operand 6 does not fit the heads")
    for number in hostileNumbers {
      let call = runtime("MultiHeadAttention", [q, q, q], [Attribute("num_heads", number)])
      #expect(call.refusal() != nil)
    }
  }

  // MARK: Attention

  @Test func projectionsOfItsOwn() throws {
    let call = runtime(
      "Attention", [.float(-1, 3, 10), .float(10, 22), .float(22)],
      twoHeads + [Attribute("qkv_hidden_sizes", [8, 8, 6])])
    #expect(try call.shape() == "n 3 6")
    #expect(try call.macs() == 3 * 10 * 22 + 3 * 3 * (8 + 6))
    #expect(
      try call.relations() == [
        "X0.2 = X1.0", "sum X0.2", "sum X1.0", "V3(8) = V0(2) * V1(4)", "Y0.2 = V0(2) * V2(3)",
        "V3(8) = X1.1 from 0 by 1", "V3(8) = X1.1 from 8 by 1", "Y0.2 = X1.1 from 16 by 1",
        "coefficient X1.1", "V3(8) = X2.0 from 0 by 1", "V3(8) = X2.0 from 8 by 1",
        "Y0.2 = X2.0 from 16 by 1", "coefficient X2.0",
      ])
  }

  @Test func aStateIsAsWideForKeysAndValues() throws {
    let call = runtime(
      "Attention",
      [
        .float(2, 3, 10), .float(10, 24), .float(24), nil, .float(2, 2, 2, 4, 4),
        .float(1, 2, 3, 7),
      ],
      results: 2, twoHeads)
    #expect(try call.shape(1) == "2 2 2 7 4")
    let relations = try call.relations()
    for relation in [
      "Y0.2 = V0(2) * V1(4)", "X4.2 = V0(2)", "X4.4 = V1(4)", "Y1.2 = V0(2)", "Y1.4 = V1(4)",
      "X5.1 = V0(2)",
    ] { #expect(relations.contains(relation), "\(relation)") }
  }

  @Test func columnsGoFromAllThreeParts() throws {
    let call = runtime("Attention", [ramp(2, 2, 3), ramp(3, 24), ramp(24)], twoHeads)
    func columns(_ queries: [Int], _ values: [Int]) -> [AxisReference: [Int]] {
      let kept = queries + queries.map { $0 + 8 } + values.map { $0 + 16 }
      return [
        .operand(1, axis: 1): kept, .operand(2, axis: 0): kept, .result(axis: 2): values,
      ]
    }
    let all = Array(0..<8)
    let head = columns([4, 5, 6, 7], [4, 5, 6, 7])
    #expect(try call.adaptations(head) == ["num_heads=1"])
    let narrow = columns(all, [0, 2, 4, 6])
    #expect(try call.adaptations(narrow) == ["qkv_hidden_sizes=[8, 8, 4]"])
    #expect(try call.commutes(withCut: head) && call.commutes(withCut: narrow))
    let keys = try call.implementation.adapt(
      call.call, to: Cut(columns([0, 1, 4, 5], [0, 1, 4, 5])))
    #expect(isScale(keys, 0.5))
  }

  @Test func otherFormsAreCarried() throws {
    let operands = [ramp(1, 1, 2), ramp(2, 6), ramp(6)]
    for name in ["do_rotary", "past_present_share_buffer"] {
      let call = runtime(
        "Attention", operands, [Attribute("num_heads", 1), Attribute(name, 1)])
      #expect(try call.shape() == "none")
      #expect(try call.relations() == [])
      #expect(call.refusesToEvaluate())
    }
    let mask = ValueFacts(constant: Tensor([1, 1, 1, 1], shape: [1, 1, 2, 2]))
    #expect(
      runtime("Attention", operands + [mask], [Attribute("num_heads", 1)]).refusesToEvaluate())
  }

  @Test func columnsThatAreNoHeads() {
    func refusal(_ operands: [ValueFacts?], _ attributes: [Attribute] = []) -> String? {
      runtime("Attention", operands, twoHeads + attributes).refusal()
    }
    let x = ValueFacts.float(1, 3, 10)
    #expect(refusal([x, .float(10, 24)]) == nil)
    #expect(refusal([x, .float(9, 24)]) == "weights have 9 rows for another width")
    let parts = "24 columns are not queries, keys and values"
    #expect(refusal([x, .float(10, 24)], [Attribute("qkv_hidden_sizes", [8, 6, 10])]) == parts)
    #expect(refusal([x, .float(10, 24)], [Attribute("qkv_hidden_sizes", [8, 8])]) == parts)
    #expect(refusal([x, .float(10, 24), .float(23)]) == "operand 2 has 23 elements instead of 24")
    #expect(
      refusal([x, .float(10, 24), nil, nil, .float(2, 1, 2, 4, 3)]) == "past does not fit the heads"
    )
    for number in hostileNumbers {
      let sizes = Attribute("qkv_hidden_sizes", [number, number, number])
      #expect(refusal([x, .float(10, 24)], [sizes]) == parts)
      #expect(
        runtime("Attention", [x, .float(10, 24)], [Attribute("num_heads", number)]).refusal()
          != nil)
    }
  }

  // MARK: GroupQueryAttention

  /// Lengths of whole items of `steps`, less one, and the number of steps.
  private func whole(_ steps: Int, batch: Int = 1) -> [ValueFacts?] {
    let lengths = [Int](repeating: steps - 1, count: batch)
    return [
      ValueFacts(constant: Tensor(wrapping: lengths, to: .int32, shape: [batch])),
      ValueFacts(constant: Tensor(wrapping: [steps], to: .int32, shape: [1])),
    ]
  }

  private let fourHeads = [Attribute("num_heads", 4), Attribute("kv_num_heads", 2)]

  @Test func queryHeadsGoWithTheirKeys() throws {
    let past = ValueFacts.float(2, 2, 9, 8)
    let call = runtime(
      "GroupQueryAttention",
      [.float(2, 3, 32), .float(2, 3, 16), .float(2, 3, 16), past, past] + whole(7, batch: 2)
        + [.float(20, 4), .float(20, 4), nil, .float(1, 4, 3, 7), .float(4)],
      results: 3, fourHeads)
    #expect(try call.shape() == "2 3 32")
    #expect(try call.shape(1) == "2 2 9 8")
    #expect(try call.macs() == 2 * 7 * 2 * 3 * 32)
    #expect(
      try call.relations() == [
        "pin V1(8)", "V2(4) = V0(2) * V3(2)", "X0.2 = V2(4) * V1(8)", "X1.2 = V0(2) * V1(8)",
        "X2.2 = V0(2) * V1(8)", "Y0.2 = V2(4) * V1(8)", "X3.1 = V0(2)", "X4.1 = V0(2)",
        "Y1.1 = V0(2)", "Y2.1 = V0(2)", "X10.1 = V2(4)", "X11.0 = V2(4)",
      ])
    let group: [AxisReference: [Int]] = [
      .operand(0, axis: 2): Array(0..<16), .operand(1, axis: 2): Array(0..<8),
    ]
    #expect(try call.adaptations(group) == ["num_heads=2", "kv_num_heads=1"])
    let members: [AxisReference: [Int]] = [
      .operand(0, axis: 2): Array(0..<8) + Array(16..<24)
    ]
    #expect(try call.adaptations(members) == ["num_heads=2"])
  }

  @Test func queriesKeysAndValuesInOne() throws {
    let call = runtime(
      "GroupQueryAttention", [ramp(1, 2, 64), nil, nil, nil, nil] + whole(2), results: 3, fourHeads)
    #expect(
      try call.relations() == [
        "pin V1(8)", "V2(4) = V0(2) * V3(2)", "Y0.2 = X0.2 from 0 by 1",
        "V4(16) = X0.2 from 32 by 1", "V4(16) = X0.2 from 48 by 1", "V4(16) = V0(2) * V1(8)",
        "Y0.2 = V2(4) * V1(8)", "Y1.1 = V0(2)", "Y2.1 = V0(2)",
      ])
    let kept = Array(16..<32) + Array(40..<48) + Array(56..<64)
    let group: [AxisReference: [Int]] = [
      .operand(0, axis: 2): kept, .result(axis: 2): Array(16..<32), .result(1, axis: 1): [1],
      .result(2, axis: 1): [1],
    ]
    #expect(try call.adaptations(group) == ["num_heads=2", "kv_num_heads=1"])
    #expect(try call.commutes(withCut: group))
  }

  /// A single key of its own, and one from the past, of which the last has no room.
  @Test func whatComesBefore() throws {
    let one = [Attribute("num_heads", 1), Attribute("kv_num_heads", 1)]
    let past = ValueFacts.constant([5, 6, 7], 1, 1, 3, 1)
    let lengths: [ValueFacts?] = [
      ValueFacts(constant: Tensor(wrapping: [1], to: .int32, shape: [1])),
      ValueFacts(constant: Tensor(wrapping: [4], to: .int32, shape: [])),
    ]
    let step = ValueFacts.constant([1], 1, 1, 1)
    let results = try runtime(
      "GroupQueryAttention", [step, step, step, past, past] + lengths, results: 3,
      one + [Attribute("local_window_size", 1)]
    ).evaluate()
    #expect(results[0].floats == [1])
    #expect(results[1].floats == [5, 1, 0, 0])
    let steps = ValueFacts.constant([1, 2, 3], 1, 3, 1)
    let sunk = try runtime(
      "GroupQueryAttention",
      [.constant([0, 0, 0], 1, 3, 1), steps, steps, nil, nil] + whole(3), results: 1,
      one + [Attribute("smooth_softmax", 1)]
    ).evaluate()[0]
    #expect(isClose(sunk.floats, [0.5, 1, 1.5]))
    let both = try runtime(
      "GroupQueryAttention",
      [.constant([0, 0, 0], 1, 3, 1), steps, steps, nil, nil] + whole(3), results: 1,
      one + [Attribute("causal", 0)]
    ).evaluate()[0]
    #expect(isClose(both.floats, [2, 2, 2]))
  }

  @Test func otherCachesAreCarried() throws {
    let operands = [ramp(1, 2, 32), ramp(1, 2, 16), ramp(1, 2, 16), nil, nil] + whole(2)
    for attribute in [
      Attribute("qk_output", 1), Attribute("sliding_window_cache", 1),
      Attribute("k_quant_type", "PER_TENSOR"),
    ] {
      let call = runtime("GroupQueryAttention", operands, fourHeads + [attribute])
      #expect(try call.shape() == "none")
      #expect(try call.relations() == [])
      #expect(call.refusesToEvaluate())
    }
    let scaled = runtime(
      "GroupQueryAttention", operands + [nil, nil, nil, nil, nil, ramp(1)], fourHeads)
    #expect(try scaled.relations() == [])
  }

  @Test func groupsThatDoNotGoTogether() {
    func refusal(
      _ operands: [ValueFacts?], heads: Int = 4, groups: Int = 2, steps: Int = 3
    ) -> String? {
      let padding = [ValueFacts?](repeating: nil, count: max(0, 5 - operands.count))
      return runtime(
        "GroupQueryAttention",
        operands.prefix(5) + padding + whole(steps) + operands.dropFirst(5),
        [Attribute("num_heads", heads), Attribute("kv_num_heads", groups)]
      ).refusal()
    }
    let (q, k) = (ValueFacts.float(1, 3, 32), ValueFacts.float(1, 3, 16))
    #expect(refusal([q, k, k]) == nil)
    #expect(refusal([q, k, k], groups: 3) == "4 and 3 heads do not go together")
    #expect(refusal([q, k]) == "only one of operands 1 and 2 is given")
    #expect(refusal([.float(1, 3, 60)]) == "60 channels do not divide into 8 heads")
    #expect(refusal([q, k, .float(1, 3, 8)]) == "operand 2 does not fit 2 heads of 8")
    #expect(
      refusal([q, k, k, .float(1, 4, 5, 8), .float(1, 2, 5, 8)])
        == "operand 3 does not fit 2 heads of 8")
    let cache = ValueFacts.float(9, 5)
    #expect(refusal([q, k, k, nil, nil, cache, cache]) == "operand 7 does not fit heads of 8")
    #expect(
      runtime("GroupQueryAttention", [q, k, k, nil, nil, ramp(1), ramp(1)], fourHeads).refusal()
        == "operand 5 is of type float instead of int64")
    #expect(refusal([q, k, k], steps: -1) == "total_sequence_length is no number of steps")
    #expect(
      runtime("GroupQueryAttention", [q, k, k], fourHeads).refusal() == "operand 5 is left out")
    for number in hostileNumbers {
      #expect(refusal([q, k, k], heads: number) != nil)
      #expect(refusal([q, k, k], groups: number) != nil)
      #expect(refusal([q], heads: number, groups: number) != nil)
      let call = runtime(
        "GroupQueryAttention",
        [
          ramp(1, 3, 32), ramp(1, 3, 16), ramp(1, 3, 16), nil, nil,
          ValueFacts(constant: Tensor([number])), ValueFacts(constant: Tensor([number])),
        ],
        fourHeads)
      #expect(call.refusesToEvaluate())
    }
  }

  // MARK: Masks

  /// A single key stays, by a mask, by its range, and because the others come later.
  @Test func masksTakeKeysOut() throws {
    let (q, v) = (ramp(1, 2, 1), ValueFacts.constant([1, 2], 1, 2, 1))
    let one = [Attribute("num_heads", 1), Attribute("mask_filter_value", Float(-10000))]
    func y(
      _ mask: [Int], _ shape: [Int], _ attributes: [Attribute] = []
    ) throws -> [Float] {
      try runtime(
        "MultiHeadAttention",
        [q, q, v, nil, ValueFacts(constant: Tensor(mask, shape: shape))], one + attributes
      ).evaluate()[0].floats
    }
    #expect(try y([1, 0], [1, 2]) == [1, 1])
    #expect(try y([1, 0, 0, 1], [1, 2, 2]) == [1, 2])
    #expect(try y([1], [1]) == [1, 1])
    #expect(try y([2, 1], [2]) == [2, 2])
    #expect(try y([2], [1], [Attribute("unidirectional", 1)])[0] == 1)
    #expect((try? y([1, 1, 1], [3])) == nil)
    #expect(runtime("MultiHeadAttention", [q, q, v, nil, ramp(1, 2)], one).refusesToEvaluate())
    let misfit = runtime(
      "MultiHeadAttention", [q, q, v, nil, nil, ramp(1, 1, 3, 2)], one)
    #expect(misfit.refusesToEvaluate())
  }
}
