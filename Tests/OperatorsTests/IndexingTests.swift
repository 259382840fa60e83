import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct GatherNDTests {
  private func indices(_ elements: [Int], _ shape: Int...) -> ValueFacts {
    ValueFacts(constant: Tensor(elements, shape: shape))
  }

  @Test func gathers() throws {
    let pairs = OperatorCase("GatherND", [.counting(2, 2), indices([0, 0, 1, -1], 2, 2)])
    #expect(try pairs.evaluate()[0] == Tensor([1, 4], shape: [2]))
    let rows = OperatorCase("GatherND", [.counting(3, 2), indices([2, 0], 2, 1)])
    #expect(try rows.evaluate()[0] == Tensor([5, 6, 1, 2], shape: [2, 2]))
    let batched = OperatorCase(
      "GatherND", [.counting(2, 2, 2), indices([1, 0], 2, 1)], [Attribute("batch_dims", 1)])
    #expect(try batched.evaluate()[0] == Tensor([3, 4, 5, 6], shape: [2, 2]))
    let none = OperatorCase("GatherND", [.counting(2, 2), indices([], 0, 1)])
    #expect(try none.evaluate()[0].shape == [0, 2])
    let shape = ValueFacts.symbolic(.symbol("n"), .fixed(3))
    #expect(try OperatorCase("GatherND", [shape, indices([1, 0], 2, 1)]).contents() == "3 n")
    for number in hostileNumbers {
      #expect(OperatorCase("GatherND", [.counting(2), indices([number], 1)]).refusesToEvaluate())
      let batch = OperatorCase(
        "GatherND", [.float(2), .integers(0)], [Attribute("batch_dims", number)])
      #expect(batch.refusal() != nil)
    }
  }

  @Test func infersAndRelates() throws {
    let tuples = ValueFacts(.int64, [.symbol("n"), .fixed(5), .fixed(2)])
    let call = OperatorCase(
      "GatherND", [.float(-1, 3, 4, 8), tuples], [Attribute("batch_dims", 1)])
    #expect(try call.shape() == "n 5 8")
    #expect(
      try call.relations() == [
        "X0.0 = Y0.0", "X1.0 = Y0.0", "X1.1 = Y0.1", "pin X0.1", "pin X0.2", "X0.3 = Y0.2",
      ])
    #expect(
      try OperatorCase("GatherND", [.counting(2, 4), indices([1, 0, 1], 3, 1)]).commutes(withCut: [
        .operand(0, axis: 1): [0, 3], .result(axis: 1): [0, 3],
        .operand(1, axis: 0): [0, 2], .result(axis: 0): [0, 2],
      ]))
    #expect(
      try OperatorCase("GatherND", [.float(2), ValueFacts(.int64, [.unknown])]).shape() == "none")
    #expect(OperatorCase("GatherND", [.float(2), indices([0, 0], 2)]).refusal() != nil)
    #expect(OperatorCase("GatherND", [.float(2), .float(1)]).refusal() != nil)
  }
}

@Suite struct ScatterNDTests {
  private func scatter(
    _ data: ValueFacts, _ places: [Int], _ shape: [Int], _ updates: ValueFacts,
    _ reduction: String = "none"
  ) -> OperatorCase {
    OperatorCase(
      "ScatterND", opset: 18, [data, ValueFacts(constant: Tensor(places, shape: shape)), updates],
      [Attribute("reduction", reduction)])
  }

  @Test func scatters() throws {
    let elements = scatter(.counting(4), [3, -4], [2, 1], .constant([9, 8], 2))
    #expect(try elements.evaluate()[0].floats == [8, 2, 3, 9])
    let rows = scatter(.counting(3, 2), [1], [1, 1], .constant([7, 8], 1, 2))
    #expect(try rows.evaluate()[0].floats == [1, 2, 7, 8, 5, 6])
    func reduced(_ reduction: String) throws -> [Float] {
      try scatter(.counting(2), [0, 0], [2, 1], .constant([3, -2], 2), reduction).evaluate()[0]
        .floats
    }
    #expect(try reduced("add") == [2, 2])
    #expect(try reduced("mul") == [-6, 2])
    #expect(try reduced("max") == [3, 2])
    #expect(try reduced("min") == [-2, 2])
    #expect(
      try scatter(.integers(1, 2), [1], [1, 1], .integers(5), "add").evaluate()[0].integers == [
        1, 7,
      ])
    #expect(scatter(.truths([1], 1), [0], [1, 1], .truths([1], 1), "add").refusesToEvaluate())
    let shape = scatter(
      .symbolic(.symbol("n"), .fixed(3)), [1], [1, 1], .symbolic(.symbol("m")))
    #expect(try shape.contents() == "n m")
    for number in hostileNumbers {
      #expect(scatter(.counting(2), [number], [1, 1], .counting(1)).refusesToEvaluate())
    }
  }

  @Test func relatesWhatIsNotIndexed() throws {
    let call = OperatorCase(
      "ScatterND", [.float(4, 3, 8), ValueFacts(.int64, [.fixed(5), .fixed(1)]), .float(5, 3, 8)])
    #expect(
      try call.relations() == [
        "X0.1 = Y0.1", "X2.1 = Y0.1", "X0.2 = Y0.2", "X2.2 = Y0.2", "pin X0.0",
      ])
    #expect(
      try scatter(.counting(3, 4), [2, 0], [2, 1], .counting(2, 4)).commutes(withCut: [
        .operand(0, axis: 1): [1, 2], .operand(2, axis: 1): [1, 2], .result(axis: 1): [1, 2],
      ]))
    #expect(
      scatter(.float(4, 3), [0], [1, 1], .float(2, 3)).refusal()
        == "the updates do not fit the indices and the data")
    #expect(scatter(.float(4), [0], [1, 1], .float(1), "other").refusal() != nil)
    #expect(scatter(.float(4), [0, 0], [1, 2], .float(1)).refusal() != nil)
    #expect(
      try OperatorCase("ScatterND", [.float(4), ValueFacts(.int64, nil), .float(1)]).relations()
        == [])
  }
}

@Suite struct ElementIndexTests {
  private func indices(_ elements: [Int], _ shape: Int...) -> ValueFacts {
    ValueFacts(constant: Tensor(elements, shape: shape))
  }

  @Test func gathersElements() throws {
    let columns = OperatorCase(
      "GatherElements", [.counting(2, 2), indices([0, 0, 1, -2], 2, 2)], [Attribute("axis", 1)])
    #expect(try columns.evaluate()[0] == Tensor([1, 1, 4, 3], shape: [2, 2]))
    let front = OperatorCase("GatherElements", [.counting(2, 3), indices([1, 0], 1, 2)])
    #expect(try front.evaluate()[0] == Tensor([4, 2], shape: [1, 2]))
    #expect(
      try front.relations() == [
        "X1.0 = Y0.0", "X1.1 = Y0.1", "Y0.1 = X0.1 from 0 by 1", "pin X0.0",
      ])
    let wide = OperatorCase(
      "GatherElements", [.counting(2, 4), indices([1, 0, 1, 1, 0, 0], 2, 3)])
    #expect(
      try wide.commutes(withCut: [
        .operand(0, axis: 1): [1, 2], .operand(1, axis: 1): [1, 2], .result(axis: 1): [1, 2],
        .operand(1, axis: 0): [1], .result(axis: 0): [1],
      ]))
    #expect(OperatorCase("GatherElements", [.float(2, 3), indices([0], 1)]).refusal() != nil)
    #expect(
      OperatorCase("GatherElements", [.float(2, 1), indices([0, 0], 1, 2)]).refusal() != nil)
    #expect(OperatorCase("GatherElements", [.float(2), .float(2)]).refusal() != nil)
    for number in hostileNumbers {
      #expect(
        OperatorCase("GatherElements", [.counting(2), indices([number], 1)]).refusesToEvaluate())
    }
  }

  @Test func scattersElements() throws {
    let call = OperatorCase(
      "ScatterElements", [.counting(1, 3), indices([2, 0], 1, 2), .constant([8, 9], 1, 2)],
      [Attribute("axis", -1)])
    #expect(try call.evaluate()[0].floats == [9, 2, 8])
    let old = OperatorCase(
      "Scatter", opset: 9, [.counting(2, 2), indices([1, 0], 1, 2), .constant([8, 9], 1, 2)])
    #expect(try old.evaluate()[0].floats == [1, 9, 8, 4])
    #expect(
      try old.relations() == [
        "X0.1 = Y0.1", "X1.1 = X2.1", "X1.1 = X0.1 from 0 by 1", "pin X0.0",
      ])
    let sum = OperatorCase(
      "ScatterElements", opset: 18, [.counting(2), indices([0, 0], 2), .counting(2)],
      [Attribute("reduction", "add")])
    #expect(try sum.evaluate()[0].floats == [4, 2])
    let narrow = OperatorCase(
      "ScatterElements", [.counting(2, 4), indices([1, 0], 1, 2), .counting(1, 2)])
    #expect(
      try narrow.commutes(withCut: [
        .operand(0, axis: 1): [1, 3], .operand(1, axis: 1): [1], .operand(2, axis: 1): [1],
        .result(axis: 1): [1, 3],
      ]))
    #expect(
      OperatorCase("ScatterElements", [.float(2), indices([0], 1), .float(2)]).refusal()
        == "the updates do not fit the indices")
    #expect(OperatorRegistry.find(OperationName("Scatter"), opset: 11) == nil)
  }
}

@Suite struct TensorScatterTests {
  private func scatter(
    _ past: ValueFacts, _ update: ValueFacts, _ places: ValueFacts?, _ attributes: [Attribute] = []
  ) -> OperatorCase {
    OperatorCase("TensorScatter", opset: 24, [past, update, places], attributes)
  }

  @Test func writes() throws {
    let past = ValueFacts.constant([0, 0, 0, 0, 0, 0], 2, 3, 1)
    let update = ValueFacts.counting(2, 2, 1)
    #expect(try scatter(past, update, nil).evaluate()[0].floats == [1, 2, 0, 3, 4, 0])
    #expect(try scatter(past, update, .integers(0, 1)).evaluate()[0].floats == [1, 2, 0, 0, 3, 4])
    #expect(
      try scatter(past, update, .integers(2, 0), [Attribute("mode", "circular")]).evaluate()[0]
        .floats == [2, 0, 1, 3, 4, 0])
    #expect(scatter(past, update, .integers(2, 0)).refusesToEvaluate())
    for number in hostileNumbers {
      #expect(scatter(past, update, .integers(number, 0)).refusesToEvaluate())
      _ = try? scatter(past, update, .integers(number, 0), [Attribute("mode", "circular")])
        .evaluate()
      #expect(scatter(past, update, nil, [Attribute("axis", number)]).refusal() != nil)
    }
  }

  @Test func relatesTheOthers() throws {
    let call = scatter(.float(2, 4, 9, 8), .float(2, 4, 3, 8), nil)
    #expect(try call.shape() == "2 4 9 8")
    #expect(
      try call.relations() == [
        "X0.1 = Y0.1", "X1.1 = Y0.1", "X0.3 = Y0.3", "X1.3 = Y0.3", "pin X0.2",
      ])
    #expect(scatter(.float(2, 3, 1), .float(2, 4, 1), nil).refusal() != nil)
    #expect(scatter(.float(2, 3, 1), .float(2, 3, 2), nil).refusal() != nil)
    #expect(scatter(.float(2, 3), .float(2, 3), nil).refusal() == "axis 0 is that of the batch")
    #expect(scatter(.float(2, 3, 1), .float(2, 3, 1), .integers(0)).refusal() != nil)
  }
}
