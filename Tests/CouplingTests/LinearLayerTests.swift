import PrunecCoupling
import PrunecGraphIR
import PrunecTestSupport
import Testing

@Suite struct LinearLayerTests {
  /// The layers of the last node, as `data[axis] weight[output <- input] result[axis]`.
  private func layers(_ text: String) throws -> [String] {
    let model = try CoupledModel(text)
    return LinearLayer.all(in: model.graph, model.facts).map { layer in
      func name(_ value: ValueID) -> String { model.graph[value].name }
      let input = layer.inputAxis.map { " <- \($0)" } ?? ""
      return "\(name(layer.data))[\(layer.dataAxis)] "
        + "\(name(layer.weight))[\(layer.outputAxis)\(input)] \(name(layer.result))[\(layer.resultAxis)]"
    }
  }

  @Test func oneAxisAndSeveral() throws {
    #expect(
      try layers(
        """
        main (float[N,5,3] x) => (float[N,5,4] y) <float[3,4] w = {...}> {
          y = MatMul (x, w)
        }
        """) == ["x[2] w[1 <- 0] y[2]"])
    #expect(
      try layers(
        """
        main (float[N,5,3] x) => (float[N,5,2,4] y) <float[3,2,4] w = {...}> {
          y = Einsum <equation = "btd,dhk->bthk"> (x, w)
        }
        """) == ["x[2] w[1 <- 0] y[2]", "x[2] w[2 <- 0] y[3]"])
  }

  /// A batch of matrices does not make the axis that it is a batch along.
  @Test func batches() throws {
    #expect(
      try layers(
        """
        main (float[2,5,3] x) => (float[2,5,4] y) <float[2,3,4] w = {...}> {
          y = MatMul (x, w)
        }
        """) == ["x[2] w[2 <- 1] y[2]"])
    #expect(
      try layers(
        """
        main (float[N,2,3] x) => (float[N,2,4] y) <float[2,3,4] w = {...}> {
          y = Einsum <equation = "bed,edf->bef"> (x, w)
        }
        """) == ["x[2] w[2 <- 1] y[2]"])
  }

  @Test func nothingOfTheKind() throws {
    #expect(
      try layers(
        """
        main (float[N,2,3] x) => (float[] y) <float[2,3] w = {...}> {
          a = ReduceSum (x)
          b = Einsum <equation = "...d,...d->..."> (x, x)
          t = Transpose (w)
          y = Add (b, t)
        }
        """) == [])
  }
}
