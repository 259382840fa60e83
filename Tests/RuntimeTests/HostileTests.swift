import PrunecGraphIR
import PrunecONNXText
import PrunecRuntime
import PrunecTensors
import Testing

/// Numbers in small files that ask for any amount of work or memory: they are computed or refused, and nothing traps.
@Suite struct HostileTests {
  private func graph(_ main: String) throws -> Graph {
    try parseModel("<ir_version: 8, opset_import: [\"\" : 19]> main \(main)").graph
  }

  @Test func kernelsFarLargerThanImagesAreRefused() throws {
    let x = Tensor((0..<32).map(Float.init), shape: [1, 2, 4, 4])
    let kernels = "kernel_shape = [2147483647, 2147483647], auto_pad = \"SAME_UPPER\""
    for node in ["MaxPool <\(kernels)> (x)", "AveragePool <\(kernels)> (x)"] {
      let graph = try graph("(float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y) { y = \(node) }")
      #expect(throws: CompileError.self) { try Session(graph).run([x]) }
    }
  }

  @Test func paddingsOutOfRangeAreRefused() throws {
    let graph = try graph(
      """
      (float[4] x, int64[2] pads) => (float[N] y) { y = Pad (x, pads) }
      """)
    let x = Tensor([1, 2, 3, 4] as [Float], shape: [4])
    let session = Session(graph)
    #expect(try session.run([x, Tensor([-5, 9])])[0].floats == [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(throws: CompileError.self) { try session.run([x, Tensor([Int.min, Int.max])]) }
  }

  @Test(arguments: [
    """
    (float[1, 1, 1, 4] x) => (float[1, 1, 1, N] y)
    <int64[4] sizes = {1, 1, 1, 17179869184}> { y = Resize (x, , , sizes) }
    """,
    """
    (float[1, 1, 1, 4] x) => (float[1, 1, 2, N] y)
    <int64[4] shape = {1, 1, 4294967296, 4}, int64[4] sizes = {1, 1, 4294967296, 2}> {
      z = Expand (x, shape)
      y = Resize (z, , , sizes)
    }
    """,
    """
    (float[1, 1, 1] x) => (float[1, 1, N, 64] y)
    <int64[3] rows = {1, 1073741824, 1}, int64[3] s = {1, 256, 1}, int64[3] t = {1, 256, 64}> {
      w = ConstantOfShape (s)
      r = ConstantOfShape (t)
      z = Expand (x, rows)
      y = LSTM <hidden_size = 64> (z, w, r)
    }
    """,
    """
    (float[1, 1] x) => (float[M, N] y)
    <int64[2] shape = {65536, 65536}> { y = Expand (x, shape) }
    """,
    """
    (float[1, 1] x) => (float[1] y)
    <int64[2] shape = {65536, 65536}, int64[1] one = {1}, int64[1] none = {0}, int64 axis = {0}> {
      z = Expand (x, shape)
      c = CumSum (z, axis)
      f = Flatten <axis = 0> (c)
      s = Slice (f, none, one, one)
      y = Reshape (s, one)
    }
    """,
    """
    (float[1, 1, 1, 1, 1] x) => (float[1, 1, N, M, L] y)
    <int64[5] shape = {1, 1, 2147483647, 1, 1}> {
      z = Expand (x, shape)
      y = MaxPool <kernel_shape = [1, 1, 1], strides = [2147483648, 1, 1],
                   pads = [0, 1073741824, 4, 0, 1073741824, 4]> (z)
    }
    """,
  ])
  func whatTakesTooMuchMemoryIsRefused(_ main: String) throws {
    let graph = try graph(main)
    let session = Session(graph, threadCount: 1, memoryLimit: 1 << 30)
    let shape = try #require(graph.inputs.first.flatMap { graph[$0].tensorType?.fixedShape })
    let x = Tensor(zeros: .float32, shape: shape)
    #expect(throws: CompileError.self) { try session.run([x]) }
  }
}
