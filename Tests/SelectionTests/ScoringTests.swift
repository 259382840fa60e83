import PrunecCoupling
import PrunecGraphIR
import PrunecSelection
import PrunecTensors
import PrunecTestSupport
import Testing

@Suite struct RowMatrixTests {
  @Test func rowsAlongAnyAxis() {
    let weight = Tensor((1...12).map(Float.init), shape: [2, 3, 2])
    #expect(RowMatrix(weight, axis: 0, bias: nil).elements == (1...12).map(Float.init))
    let rows = RowMatrix(weight, axis: 1, bias: Tensor([-1, -2, -3], shape: [3]))
    #expect((rows.rows, rows.columns) == (3, 5))
    #expect(rows.elements == [1, 2, 7, 8, -1, 3, 4, 9, 10, -2, 5, 6, 11, 12, -3])
    #expect(
      RowMatrix(weight, axis: 2, bias: nil).elements == [1, 3, 5, 7, 9, 11, 2, 4, 6, 8, 10, 12])
  }

  @Test func distances() {
    let rows = RowMatrix(Tensor([3, -4, 0, 0, 1, 1], shape: [3, 2]), axis: 0, bias: nil)
    #expect(rows.gram == [25, 0, -1, 0, 0, 0, -1, 0, 2])
    let (near, far) = (2.0.squareRoot(), 29.0.squareRoot())
    let sums: [Double] = [5 + far, 5 + near, far + near]
    for (found, expected) in zip(rows.distanceSums, sums) {
      #expect(abs(Double(found) - expected) < 1e-5)
    }
  }

  /// Longer than the vectors that the sums are made of, with a rest.
  @Test func longRows() {
    let elements = (0..<(2 * 37)).map { Float($0 % 7) - 3 }
    let rows = RowMatrix(Tensor(elements, shape: [2, 37]), axis: 0, bias: nil)
    let (a, b) = (elements[..<37], elements[37...])
    func product(_ x: ArraySlice<Float>, _ y: ArraySlice<Float>) -> Float {
      zip(x, y).map { $0 * $1 }.reduce(0, +)
    }
    #expect(rows.gram == [product(a, a), product(a, b), product(a, b), product(b, b)])
  }
}

@Suite struct RowNormTests {
  private let weight = Tensor([3, -4, 0, 0, 1, 1], shape: [3, 2])

  @Test func rows() {
    #expect(RowNorms.absoluteSums(weight, axis: 0, bias: nil) == [7, 0, 2])
    #expect(RowNorms.euclidean(weight, axis: 0, bias: nil) == [5, 0, Float(2).squareRoot()])
  }

  /// Along every axis, in every type, and longer than the vectors that the sums are made of.
  @Test(arguments: [ElementType.float32, .float16, .bfloat16, .float64, .int8])
  func everyTypeAndAxis(type: ElementType) {
    let shape = [3, 37, 18]
    let floats = (0..<shape.elementCount).map { Float($0 % 11) - 5 }
    let weight =
      type == .int8
      ? Tensor(.int8, shape: shape, elements: floats.map(Int8.init))
      : Tensor(rounding: floats, to: type, shape: shape)
    let strides = shape.rowMajorStrides
    for axis in shape.indices {
      var sums = [Float](repeating: 0, count: shape[axis])
      var squares = sums
      for (index, float) in floats.enumerated() {
        sums[index / strides[axis] % shape[axis]] += abs(float)
        squares[index / strides[axis] % shape[axis]] += float * float
      }
      #expect(RowNorms.absoluteSums(weight, axis: axis, bias: nil) == sums)
      #expect(
        RowNorms.euclidean(weight, axis: axis, bias: nil) == squares.map { $0.squareRoot() })
      #expect(
        RowMatrix(weight, axis: axis, bias: nil).elements
          == RowMatrix(Tensor(floats, shape: shape), axis: axis, bias: nil).elements)
    }
  }

  @Test func columnsAndBiases() {
    let bias = Tensor([-1, 2], shape: [2])
    #expect(RowNorms.absoluteSums(weight, axis: 1, bias: bias) == [5, 7])
    let squares: [Float] = [11, 21]
    #expect(RowNorms.euclidean(weight, axis: 1, bias: bias) == squares.map { $0.squareRoot() })
  }
}

@Suite struct CriteriaTests {
  private func scores(
    _ text: String, _ criterion: any ChannelCriterion, seed: UInt64 = 0
  ) throws -> [[Float]] {
    let model = try CoupledModel(text)
    let scores = try ChannelScores(
      by: criterion, ScoringInputs(model.graph, model.facts, model.coupling, seed: seed))
    return model.coupling.groups.filter { $0.pin == nil }.map { scores.scores(of: $0)! }
  }

  private static let layer = """
    main (float[N,2] x) => (float[N,1] y)
    <float[3,2] w1 = {3, 4, 0, 0, 6, 8}, float[3] b1 = {0, 12, 0}, float[3,1] w2 = {...}>
    {
      [fc1] t = Gemm <transB = 1> (x, w1, b1)
      [fc2] y = MatMul (t, w2)
    }
    """

  /// The bias is a column, and the mean over the channels one.
  @Test func layersAreBroughtToAMeanOfOne() throws {
    let norms: [Float] = [5, 12, 10]
    #expect(try scores(Self.layer, .l2)[0] == norms.map { $0 / 9 })
    let sums: [Float] = [7, 12, 14]
    #expect(try scores(Self.layer, .l1)[0] == sums.map { $0 / 11 })
  }

  @Test func membersOfAGroupAreAveraged() throws {
    let found = try scores(
      """
      main (float[N,1] x) => (float[N,1] y)
      <float[1,2] w1 = {1, 3}, float[1,2] w2 = {30, 10}, float[2,1] w3 = {...}>
      {
        [fc1] a = MatMul (x, w1)
        [fc2] b = MatMul (x, w2)
        [add] c = Add (a, b)
        [fc3] y = MatMul (c, w3)
      }
      """, .l2)
    #expect(found == [[1, 1]])
  }

  /// A channel with several rows in one weight counts their mean.
  @Test func severalRowsAChannel() throws {
    let found = try scores(
      """
      main (float[1,2,1,1] x) => (float[1,1,1,1] y)
      <float[2,2,1,1] w1 = {1, 0, 1, 0}, float[4,1,1,1] wd = {1, 3, 5, 7}, float[1,4,1,1] w2 = {...}>
      {
        [conv1] a = Conv (x, w1)
        [conv2] b = Conv <group = 2> (a, wd)
        [conv3] y = Conv (b, w2)
      }
      """, .l1)
    #expect(found == [[0.75, 1.25]])
  }

  @Test func scalesOfNormalizations() throws {
    let text = """
      main (float[1,2,1,1] x) => (float[1,1,1,1] y)
      <float[3,2,1,1] w1 = {...}, float[3] s = {1, -4, 1}, float[3] z = {0, 0, 0}, float[3] v = {1, 1, 1},
       float[1,3,1,1] w2 = {...}>
      {
        [conv1] a = Conv (x, w1)
        [bn] b = BatchNormalization (a, s, z, z, v)
        [conv2] y = Conv (b, w2)
      }
      """
    #expect(try scores(text, .bnScale) == [[0.5, 2, 0.5]])
    let error = #expect(throws: CompileError.self) { try scores(Self.layer, .bnScale) }
    #expect(error?.kind == .usage)
  }

  @Test func randomScoresFollowTheSeed() throws {
    #expect(try scores(Self.layer, .random, seed: 3) == scores(Self.layer, .random, seed: 3))
    #expect(try scores(Self.layer, .random, seed: 3) != scores(Self.layer, .random, seed: 4))
  }

  /// The row nearest to all others is the first to go.
  @Test func geometricMedian() throws {
    let found = try scores(
      """
      main (float[N,1] x) => (float[N,1] y)
      <float[1,4] w1 = {0, 2, 3, 9}, float[4,1] w2 = {...}>
      {
        [fc1] a = MatMul (x, w1)
        [fc2] y = MatMul (a, w2)
      }
      """, .fpgm)
    let distances: [Float] = [14, 10, 10, 22]
    #expect(found[0] == distances.map { $0 / 14 })
  }
}
