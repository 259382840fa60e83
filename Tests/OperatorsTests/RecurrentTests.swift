import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

/// The expected numbers are onnxruntime's.
@Suite struct RecurrentTests {
  /// `-0.75, -0.5 ... 0.75`, again and again.
  private func ramp(_ shape: Int...) -> ValueFacts {
    let elements = (0..<shape.elementCount).map { (Float($0 % 7) - 3) / 4 }
    return ValueFacts(constant: Tensor(elements, shape: shape))
  }

  private func lengths(_ elements: Int...) -> ValueFacts {
    ValueFacts(
      constant: Tensor(.int32, shape: [elements.count], elements: elements.map(Int32.init)))
  }

  private let two = Attribute("hidden_size", 2)

  private func strings(_ name: String, _ values: [String]) -> Attribute {
    Attribute(name, .strings(values.map { Array($0.utf8) }))
  }

  private func expect(
    _ results: [Tensor], _ expected: [[Float]], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(results.count == expected.count, sourceLocation: sourceLocation)
    for (result, elements) in zip(results, expected) {
      #expect(isClose(result.floats, elements), sourceLocation: sourceLocation)
    }
  }

  // MARK: Evaluation

  @Test func lstmForward() throws {
    let call = OperatorCase(
      "LSTM", [ramp(3, 2, 2), ramp(1, 8, 2), ramp(1, 8, 2)], results: 3, [two])
    expect(
      try call.evaluate(),
      [
        [
          -0.162265, 0.159198, -0.0328816, 0.043183, 0.000446079, 0.00495422, -0.0491402,
          -0.0293524, -0.108803, 0.110969, 0.00746218, -0.0256742,
        ], [-0.108803, 0.110969, 0.00746218, -0.0256742],
        [-0.253437, 0.25038, 0.0142285, -0.0571685],
      ])
  }

  /// Everything that there is: peepholes, initial states, sequences of different lengths, a clip.
  private var complete: OperatorCase {
    OperatorCase(
      "LSTM",
      [
        ramp(3, 2, 2), ramp(2, 8, 2), ramp(2, 8, 2), ramp(2, 16), lengths(3, 1), ramp(2, 2, 2),
        ramp(2, 2, 2), ramp(2, 6),
      ], results: 3,
      [two, Attribute("direction", "bidirectional"), Attribute("clip", Float(0.5))])
  }

  @Test func lstmInBothDirections() throws {
    expect(
      try complete.evaluate(),
      [
        [
          -0.240804, -0.0666918, -0.102689, -0.0809691, -0.0102683, -0.0406514, 0.0541965,
          -0.290684, -0.168315, -0.124458, 0, 0, -0.148369, -0.087985, 0, 0, -0.145956, -0.167929,
          0, 0, -0.0615824, 0.0614221, 0, 0,
        ],
        [
          -0.145956, -0.167929, -0.102689, -0.0809691, -0.0102683, -0.0406514, 0.0541965,
          -0.290684,
        ],
        [
          -0.407792, -0.343905, -0.248082, -0.174468, -0.0164979, -0.0654008, 0.0872893, -0.506218,
        ],
      ])
  }

  /// The axis of sequences comes first in X, Y and the states, and nothing else changes.
  @Test func layoutWithTheBatchFirst() throws {
    var call = complete.call
    for index in [0, 5, 6] {
      let turned = call.operands[index]!.constant!.transposed([1, 0, 2])
      call = Invocation(
        signature: call.signature, opset: call.opset, attributes: call.attributes,
        operands: call.operands.enumerated().map {
          $0 == index ? ValueFacts(constant: turned) : $1
        }, results: call.results, location: call.location)
    }
    let turned = OperatorCase(
      "LSTM", call.operands, results: 3, call.attributes + [Attribute("layout", 1)])
    let (plain, results) = (try complete.evaluate(), try turned.evaluate())
    #expect(try turned.shape() == "2 3 2 2")
    #expect(results[0] == plain[0].transposed([2, 0, 1, 3]))
    #expect(results[1] == plain[1].transposed([1, 0, 2]))
    #expect(results[2] == plain[2].transposed([1, 0, 2]))
    #expect(try turned.relations().contains("X0.0 = Y0.0"))
  }

  @Test func lstmBackwardsWithCoupledGates() throws {
    let call = OperatorCase(
      "LSTM",
      [
        ramp(3, 2, 2), ramp(1, 8, 2), ramp(1, 8, 2), ramp(1, 16), nil, nil, nil, ramp(1, 6),
      ], results: 3,
      [
        two, Attribute("direction", "reverse"), Attribute("input_forget", 1),
        strings("activations", ["HardSigmoid", "Softsign", "LeakyRelu"]),
        Attribute("activation_alpha", .floats([0.3, 0.2])),
        Attribute("activation_beta", .floats([0.4])),
      ])
    expect(
      try call.evaluate(),
      [
        [
          -0.00654826, -0.0178984, -0.000656166, -0.020578, -0.0044888, -0.0153044, 0, -0.0271432,
          -0.00270559, -0.00762723, 0, -0.0084852,
        ], [-0.00654826, -0.0178984, -0.000656166, -0.020578],
        [-0.161127, -0.212478, -0.0108282, -0.242176],
      ])
  }

  @Test(arguments: [
    (
      0,
      [
        -0.512469, 0.22251, 0.0106854, 0.479484, -0.189656, 0.596897, -0.00463549, 0.547313,
        0.0978107, 0.614971, 0.0856525, 0.660415,
      ]
    ),
    (
      1,
      [
        -0.514464, 0.132196, 0.0106854, 0.398483, -0.197404, 0.496383, 0.0213207, 0.473028,
        0.0840951, 0.494551, 0.0884209, 0.564504,
      ]
    ),
  ])
  func gru(isLinearBeforeReset: Int, expected: [Float]) throws {
    let call = OperatorCase(
      "GRU",
      [ramp(3, 2, 2), ramp(1, 6, 2), ramp(1, 6, 2), ramp(1, 12), nil, ramp(1, 2, 2)], results: 2,
      [two, Attribute("linear_before_reset", isLinearBeforeReset)])
    expect(try call.evaluate(), [expected, Array(expected.suffix(4))])
    #expect(try call.macs() == 6 * (12 + 12))
  }

  @Test func rnnInBothDirections() throws {
    let call = OperatorCase(
      "RNN", [ramp(3, 2, 2), ramp(2, 2, 2), ramp(2, 2, 2), ramp(2, 4)], results: 2,
      [
        two, Attribute("direction", "bidirectional"), strings("activations", ["Tanh", "Relu"]),
      ])
    expect(
      try call.evaluate(),
      [
        [
          -0.185333, -0.30271, -0.670967, -0.41157, 1, 0.59375, 2.07031, 0, -0.816806, -0.474736,
          -0.445033, -0.477513, 1.5, 0.125, 1.09375, 1.71875, 0.336351, -0.169157, -0.502368,
          -0.370275, 0.75, 0, 1.125, 0,
        ], [0.336351, -0.169157, -0.502368, -0.370275, 1, 0.59375, 2.07031, 0],
      ])
  }

  /// Backwards, a short sequence begins at its own end; one of no steps has a state of zeros.
  @Test func lengthsOfSequences() throws {
    func call(_ lengths: ValueFacts) -> OperatorCase {
      OperatorCase(
        "RNN", [ramp(3, 2, 2), ramp(1, 2, 2), ramp(1, 2, 2), nil, lengths], results: 2,
        [two, Attribute("direction", "reverse")])
    }
    expect(
      try call(lengths(0, 2)).evaluate(),
      [
        [0, 0, 0.396228, 0.108406, 0, 0, -0.185333, -0.185333, 0, 0, 0, 0],
        [0, 0, 0.396228, 0.108406],
      ])
    #expect(call(lengths(4, 1)).refusesToEvaluate())
    #expect(call(lengths(-1, 1)).refusesToEvaluate())
  }

  @Test(arguments: [
    ("Affine", [2], [0.5], [1.625, 1.25, 1.25, 1]),
    ("ScaledTanh", [2], [0.5], [0.548123, 0.370667, 0.370667, 0.248706]),
    ("Elu", [2], [], [0.5625, 0.375, 0.375, 0.25]),
    ("thresholdedrelu", [0.25], [], [0.5625, 0.375, 0.375, 0]),
  ])
  func activations(name: String, alphas: [Float], betas: [Float], expected: [Float]) throws {
    let call = OperatorCase(
      "RNN", [ramp(1, 2, 1), ramp(1, 2, 1), ramp(1, 2, 2)],
      [
        strings("activations", [name]), Attribute("activation_alpha", .floats(alphas)),
        Attribute("activation_beta", .floats(betas)),
      ])
    expect(try call.evaluate(), [expected])
  }

  @Test func activationsThatAreNotKnown() {
    for names in [["Affine"], ["Softer"], []] {
      let call = OperatorCase(
        "RNN", [ramp(1, 2, 1), ramp(1, 2, 1), ramp(1, 2, 2)], [strings("activations", names)])
      #expect(call.refusesToEvaluate())
    }
  }

  @Test func nothingToWalkAlong() throws {
    let none = OperatorCase(
      "LSTM", [.constant([], 0, 2, 3), ramp(1, 8, 3), ramp(1, 8, 2)], results: 2)
    #expect(try none.evaluate().map(\.shape) == [[0, 1, 2, 2], [1, 2, 2]])
    let blind = OperatorCase(
      "RNN", [.constant([], 1, 1, 0), .constant([], 1, 2, 0), ramp(1, 2, 2)])
    #expect(try blind.evaluate()[0].floats == [0, 0])
  }

  // MARK: Facts

  @Test func infersFromWhatIsKnown() throws {
    let open = OperatorCase(
      "LSTM", [.float(-1, 4, 8), .float(2, 24, 8), .float(2, 24, 6)], results: 3,
      [Attribute("direction", "bidirectional")])
    #expect(try open.shape() == "n 2 4 6")
    #expect(try open.shape(2) == "2 4 6")
    let unknown = ValueFacts(.float32, nil)
    #expect(try OperatorCase("GRU", [unknown, unknown, unknown], [two]).shape() == "? 1 ? 2")
    #expect(try OperatorCase("GRU", [unknown, .float(1, 6, 4), unknown]).shape() == "? 1 ? 2")
  }

  @Test func refusesWhatDoesNotFit() {
    let (x, w, r) = (
      ValueFacts.float(3, 2, 4), ValueFacts.float(1, 8, 4), ValueFacts.float(1, 8, 2)
    )
    func refusal(_ operands: [ValueFacts?], _ attributes: [Attribute] = []) -> String? {
      OperatorCase("LSTM", operands, attributes).refusal()
    }
    #expect(refusal([x, w, r]) == nil)
    #expect(refusal([x, .float(1, 8, 3), r]) == "extents 4 and 3 differ")
    #expect(refusal([x, .float(1, 10, 4), r]) == "operand 1 has 10 rows for 4 blocks")
    #expect(refusal([x, w, .float(1, 8, 3)]) == "extents 3 and 2 differ")
    #expect(refusal([x, w, .float(8, 2)]) == "operand 2 has 2 axes instead of 3")
    #expect(refusal([x, w, r, .float(1, 8)]) == "extents 2 and 1 differ")
    #expect(refusal([x, w, r, nil, .float(2)]) == "sequence_lens are of type float")
    #expect(refusal([x, w, r, nil, nil, .float(1, 3, 2)]) == "extents 2 and 3 differ")
    #expect(refusal([x, w, r, nil, nil, nil, nil, .float(2, 6)]) == "extents 1 and 2 differ")
    #expect(refusal([x, w, r], [Attribute("hidden_size", 3)]) == "extents 3 and 2 differ")
    #expect(refusal([x, w, r], [Attribute("direction", "upwards")]) != nil)
    #expect(
      refusal([x, w, r], [Attribute("direction", "bidirectional")]) == "extents 2 and 1 differ")
    for number in hostileNumbers {
      #expect(refusal([x, w, r], [Attribute("hidden_size", number)]) != nil)
      #expect(refusal([x, w, r], [Attribute("layout", number)]) == "layout is \(number)")
    }
  }

  // MARK: Channels

  @Test func hiddenUnitsAreRowsOfEveryGate() throws {
    let call = OperatorCase(
      "GRU", [.float(-1, -1, 4), .float(1, 6, 4), .float(1, 6, 2), .float(1, 12)], results: 2,
      [two])
    #expect(
      try call.relations() == [
        "X0.2 = X1.2", "sum X0.2", "sum X1.2", "coefficient X2.2",
        "X2.2 = X1.1 from 0 by 1", "X2.2 = X1.1 from 2 by 1", "X2.2 = X1.1 from 4 by 1",
        "X2.2 = X2.1 from 0 by 1", "X2.2 = X2.1 from 2 by 1", "X2.2 = X2.1 from 4 by 1",
        "X2.2 = X3.1 from 0 by 1", "X2.2 = X3.1 from 2 by 1", "X2.2 = X3.1 from 4 by 1",
        "X2.2 = X3.1 from 6 by 1", "X2.2 = X3.1 from 8 by 1", "X2.2 = X3.1 from 10 by 1",
        "X2.2 = Y0.3", "X0.1 = Y0.2", "X2.2 = Y1.2", "X0.1 = Y1.1",
      ])
    #expect(try call.adaptations([.operand(2, axis: 2): [1]]) == ["hidden_size=1"])
    #expect(try call.adaptations([.operand(0, axis: 2): [1]]).isEmpty)
  }

  @Test func statesAndPeepholesGoAlong() throws {
    let relations = try complete.relations()
    for expected in [
      "X2.2 = X7.1 from 4 by 1", "X0.1 = X4.0", "X2.2 = X5.2", "X0.1 = X5.1", "X2.2 = X6.2",
      "X2.2 = Y2.2",
    ] {
      #expect(relations.contains(expected))
    }
  }

  /// A result that the node leaves out has no axes.
  @Test func resultsThatAreLeftOut() throws {
    var call = OperatorCase("RNN", [ramp(1, 2, 1), ramp(1, 2, 1), ramp(1, 2, 2)], results: 2).call
    call.results = [.unknown, .float(1, 2, 2)]
    var relations = Relations()
    let found = OperatorRegistry.find(OperationName("RNN"), opset: 17)!
    found.relate(call, &relations)
    for case .equal(let a, let b) in relations.list {
      #expect(a.slot != .result(0) && b.slot != .result(0))
    }
  }

  @Test func ranksThatAreNotKnown() throws {
    let call = OperatorCase(
      "RNN", [.float(3, 2, 4), .float(1, 2, 4), .float(1, 2, 2), ValueFacts(.float32, nil)])
    #expect(try call.relations().isEmpty)
  }
}
