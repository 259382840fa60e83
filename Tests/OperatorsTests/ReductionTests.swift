import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

@Suite struct ReduceTests {
  @Test func axesAreAnAttributeOrAnOperand() throws {
    let x = ValueFacts.float(-1, 8, 7, 7)
    let older = OperatorCase("ReduceMean", opset: 17, [x], [Attribute("axes", [2, -1])])
    #expect(try older.shape() == "n 8 1 1")
    let newer = OperatorCase(
      "ReduceMean", opset: 18, [x, .integers(2, 3)], [Attribute("keepdims", 0)])
    #expect(try newer.shape() == "n 8")
    #expect(try OperatorCase("ReduceSum", opset: 13, [x, .integers(0)]).shape() == "1 8 7 7")
    #expect(try OperatorCase("ReduceMean", [x], [Attribute("keepdims", 0)]).shape() == "")
    let nothing = OperatorCase("ReduceMax", opset: 18, [x], [Attribute("noop_with_empty_axes", 1)])
    #expect(try nothing.shape() == "n 8 7 7")

    #expect(OperatorCase("ReduceMean", opset: 17, [x, .integers(1)]).refusal() != nil)
    let misplaced = OperatorCase("ReduceMean", opset: 18, [x], [Attribute("axes", [1])])
    #expect(misplaced.refusal() == "'axes' is an operand since opset 18")
    for axis in [4, -5, Int.min, Int.max] {
      let wrong = OperatorCase("ReduceMean", [x], [Attribute("axes", [axis])])
      #expect(wrong.refusal() == "axis \(axis) is out of range for 4 axes")
    }
    #expect(OperatorCase("ReduceMean", [ValueFacts(.bool, nil)]).refusal() != nil)
  }

  @Test func unknownAxes() throws {
    let operands: [ValueFacts] = [.float(2, 3), ValueFacts(.int64, [.fixed(1)])]
    let kept = OperatorCase("ReduceMean", opset: 18, operands)
    #expect(try kept.shape() == "? ?")
    #expect(try kept.relations().isEmpty)
    let dropped = OperatorCase("ReduceMean", opset: 18, operands, [Attribute("keepdims", 0)])
    #expect(try dropped.shape() == "none")
  }

  @Test func reducedAxesMayBeCutWhereSomethingAddsNothing() throws {
    let attributes = [Attribute("axes", [1]), Attribute("keepdims", 0)]
    let mean = OperatorCase("ReduceMean", opset: 11, [.float(2, 3, 4)], attributes)
    #expect(try mean.relations() == ["X0.0 = Y0.0", "gather X0.1 but mean", "X0.2 = Y0.1"])
    let sum = OperatorCase("ReduceSum", opset: 11, [.float(2, 3, 4)], attributes)
    #expect(try sum.relations() == ["X0.0 = Y0.0", "sum X0.1", "X0.2 = Y0.1"])
    let max = OperatorCase("ReduceMax", opset: 11, [.float(2, 3)], [Attribute("axes", [0])])
    #expect(try max.relations() == ["gather X0.0 but lowest", "X0.1 = Y0.1"])
    let product = OperatorCase("ReduceProd", opset: 11, [.float(2, 3)], [Attribute("axes", [0])])
    #expect(try product.relations() == ["pin X0.0", "X0.1 = Y0.1"])
    let integers = ValueFacts(.int64, [.fixed(2), .fixed(3)])
    let extremum = OperatorCase("ReduceMax", opset: 12, [integers], [Attribute("axes", [0])])
    #expect(try extremum.relations() == ["pin X0.0", "X0.1 = Y0.1"])
  }

  @Test(
    arguments: [
      ("ReduceSum", [-2, 5]), ("ReduceMean", [-1, 2.5]), ("ReduceMax", [1, 4]),
      ("ReduceMin", [-3, 1]), ("ReduceProd", [-3, 4]), ("ReduceSumSquare", [10, 17]),
      ("ReduceL1", [4, 5]), ("ReduceL2", [3.1622777, 4.1231056]),
      ("ReduceLogSumExp", [1.01815, 4.0485873]),
    ] as [(String, [Float])])
  func computes(type: String, expected: [Float]) throws {
    let x = ValueFacts.constant([1, -3, 1, 4], 2, 2)
    let call = OperatorCase(type, opset: 11, [x], [Attribute("axes", [1])])
    let y = try call.evaluate()[0]
    #expect(y.shape == [2, 1])
    #expect(isClose(y.floats, expected))
  }

  @Test func computesLogarithmsOfSums() throws {
    let x = ValueFacts.counting(2, 2)
    let call = OperatorCase("ReduceLogSum", [x], [Attribute("axes", [0])])
    #expect(isClose(try call.evaluate()[0].floats, [1.386294, 1.79176]))
    let infinite = ValueFacts.constant([-.infinity, -.infinity, .infinity, 0], 2, 2)
    let bounds = OperatorCase("ReduceLogSumExp", [infinite], [Attribute("axes", [1])])
    #expect(try bounds.evaluate()[0].floats == [-.infinity, .infinity])
  }

  @Test func computesWithIntegers() throws {
    let x = ValueFacts(constant: Tensor(.int32, shape: [2, 2], elements: [Int32(1), 2, -4, -3]))
    let axes = [Attribute("axes", [1])]
    #expect(try OperatorCase("ReduceMean", [x], axes).evaluate()[0].integers == [1, -3])
    #expect(try OperatorCase("ReduceL2", [x], axes).evaluate()[0].integers == [2, 5])
    #expect(try OperatorCase("ReduceL1", [x], axes).evaluate()[0].elementType == .int32)
    let greatest = ValueFacts(constant: Tensor(.int32, shape: [2], elements: [Int32.max, 1]))
    let sum = OperatorCase("ReduceSum", [greatest])
    #expect(try sum.evaluate()[0].integers == [Int(Int32.min)])
    let extreme = ValueFacts.integers(.min, .max)
    for type in ["ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"] {
      #expect(try OperatorCase(type, [extreme]).evaluate()[0].count == 1)
    }
  }

  @Test func computesOverNothing() throws {
    let x = ValueFacts.constant([], 2, 0)
    let axes = [Attribute("axes", [1])]
    #expect(try OperatorCase("ReduceSum", opset: 11, [x], axes).evaluate()[0].floats == [0, 0])
    #expect(
      try OperatorCase("ReduceMax", [x], axes).evaluate()[0].floats == [-.infinity, -.infinity])
    let flags = ValueFacts(constant: Tensor(.bool, shape: [0], elements: [UInt8]()))
    #expect(try OperatorCase("ReduceMin", opset: 20, [flags]).evaluate()[0].integers == [1])
    #expect(try OperatorCase("ReduceMean", [.integers()]).evaluate()[0].integers == [0])
  }
}

@Suite struct AxisSearchTests {
  private let x = ValueFacts.constant([1, 3, 3, 5, 2, 5], 2, 3)

  @Test func indexOfTheExtremum() throws {
    let axis = Attribute("axis", 1)
    let first = OperatorCase("ArgMax", [x], [axis])
    #expect(try first.evaluate()[0] == Tensor([1, 0] as [Int], shape: [2, 1]))
    let last = OperatorCase("ArgMax", [x], [axis, Attribute("select_last_index", 1)])
    #expect(try last.evaluate()[0].integers == [2, 2])
    let least = OperatorCase("ArgMin", [x], [Attribute("keepdims", 0)])
    #expect(try least.evaluate()[0] == Tensor([0, 1, 0] as [Int], shape: [3]))
    #expect(try least.relations() == ["X0.1 = Y0.0", "pin X0.0"])
    let extremes = OperatorCase("ArgMin", [.integers(.max, .min, .min)])
    #expect(try extremes.evaluate()[0].integers == [1])
    #expect(OperatorCase("ArgMax", [.float(0, 3)]).refusal() != nil)
    #expect(OperatorCase("ArgMax", [x], [Attribute("axis", Int.min)]).refusal() != nil)
  }

  @Test func greatestOrLeastElements() throws {
    let call = OperatorCase("TopK", [x, .integers(2)], results: 2)
    let results = try call.evaluate()
    #expect(results[0] == Tensor([3, 3, 5, 5], shape: [2, 2]))
    #expect(results[1] == Tensor([1, 2, 0, 2] as [Int], shape: [2, 2]))
    #expect(try call.relations() == ["X0.0 = Y0.0", "X0.0 = Y1.0", "pin X0.1"])
    let least = OperatorCase(
      "TopK", [x, .integers(1)], results: 2, [Attribute("axis", 0), Attribute("largest", 0)])
    #expect(try least.evaluate()[0].floats == [1, 2, 3])
    #expect(try least.evaluate()[1].integers == [0, 1, 0])
    let older = OperatorCase("TopK", opset: 9, [.float(2, 3)], results: 2, [Attribute("k", 1)])
    #expect(try older.shape(1) == "2 1")
    let unknown = OperatorCase("TopK", [x, ValueFacts(.int64, [.fixed(1)])], results: 2)
    #expect(try unknown.shape() == "2 ?")
    for k in [4, -1, Int.min, Int.max] {
      #expect(OperatorCase("TopK", [x, .integers(k)], results: 2).refusal() != nil)
    }
  }

  @Test func runningSums() throws {
    let axis = ValueFacts(constant: Tensor([1] as [Int], shape: []))
    let reverse = OperatorCase(
      "CumSum", [.counting(2, 3), axis], [Attribute("exclusive", 1), Attribute("reverse", 1)])
    #expect(try reverse.evaluate()[0].floats == [5, 3, 0, 11, 6, 0])
    let wrapping = OperatorCase("CumSum", [.integers(.max, 1), .integers(-1)])
    #expect(try wrapping.evaluate()[0].integers == [.max, .min])
    #expect(try wrapping.relations() == ["X0.0 = Y0.0", "pin X0.0"])
    let unknown = OperatorCase("CumSum", [.float(3), ValueFacts(.int64, [])])
    #expect(try unknown.relations().isEmpty)
    #expect(OperatorCase("CumSum", [.float(3), .integers(.min)]).refusal() != nil)
    #expect(OperatorCase("CumSum", [.float(3), .integers(0, 0)]).refusal() != nil)
  }

  /// onnxruntime takes nothing but one for yes.
  @Test(arguments: [-1, 0, 2]) func axesAreKeptForOneAlone(keeps: Int) throws {
    let mean = OperatorCase(
      "ReduceMean", [.float(2, 3, 4)], [Attribute("axes", [1]), Attribute("keepdims", keeps)])
    #expect(try mean.shape() == "2 4")
    #expect(try mean.relations().contains("X0.2 = Y0.1"))
    let greatest = OperatorCase(
      "ArgMax", [.float(2, 3, 4)], [Attribute("axis", 1), Attribute("keepdims", keeps)])
    #expect(try greatest.shape() == "2 4")
    let whole = OperatorCase(
      "ReduceSum", opset: 13, [.float(2, 3)], [Attribute("noop_with_empty_axes", keeps)])
    #expect(try whole.shape() == "1 1")
    let least = OperatorCase(
      "TopK", [.counting(3), .integers(1)], results: 2, [Attribute("largest", keeps)])
    #expect(try least.evaluate()[0].floats == [1])
  }
}
