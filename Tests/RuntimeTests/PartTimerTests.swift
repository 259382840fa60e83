import PrunecGraphIR
import PrunecONNXText
import PrunecRuntime
import PrunecTensors
import Testing

@Suite struct PartTimerTests {
  private func graph(channels: Int = 16) throws -> Graph {
    var graph = try parseModel(
      """
      <ir_version: 8, opset_import: ["" : 17]>
      main (float[1, 3, 12, 12] x, int64[1] i) => (float[1, 1, 8] y)
      <float[\(channels), 3, 3, 3] w = {...}, float[\(channels), 1, 3, 3] d = {...},
       float[\(channels), 8] v = {...}, float[8] b = {...}, int64[3] shape = {1, 1, 8}> {
        c = Conv <pads = [1, 1, 1, 1]> (x, w)
        r = Relu (c)
        p = Conv <pads = [1, 1, 1, 1], group = \(channels)> (r, d)
        q = AveragePool <kernel_shape = [12, 12]> (p)
        f = Flatten (q)
        g = Gemm (f, v, b)
        s = Softmax (g)
        e = Gather (s, i)
        y = Reshape (e, shape)
      }
      """
    ).graph
    // What is timed needs no weights.
    for id in graph.initializers {
      let tensor = graph[id].constant!
      guard tensor.elementType == .float32 else { continue }
      graph.setTensor(of: id, to: Tensor(absent: .float32, shape: tensor.shape))
    }
    return graph
  }

  @Test(arguments: [1, 2], [false, true])
  func everyPartHasATime(threadCount: Int, evictsWeights: Bool) throws {
    let timer = PartTimer(threadCount: threadCount, evictsWeights: evictsWeights)
    let plan = try timer.parts(of: try graph())
    #expect(plan.parts.count >= 5)
    for part in plan.parts {
      let seconds = timer.seconds(of: part, in: plan)
      #expect(seconds ?? 0 > 0, "\(part.signature)")
      #expect(part.effort > 0)
    }
    let nodes = plan.parts.flatMap(\.nodes)
    #expect(Set(nodes).count == nodes.count)
  }

  @Test func signaturesTellWidthsApart() throws {
    let timer = PartTimer(threadCount: 1, evictsWeights: false)
    func signatures(_ channels: Int) throws -> [String] {
      try timer.parts(of: try graph(channels: channels)).parts.map(\.signature)
    }
    let wide = try signatures(16)
    #expect(try signatures(16) == wide)
    let narrow = try signatures(24)
    #expect(wide.count == narrow.count)
    // What comes after the last layer does not depend on them.
    #expect(Set(wide).intersection(narrow).count == wide.count - 4)
    for signature in wide { #expect(!signature.contains("\t") && !signature.contains("\n")) }
  }

  @Test func referencesAreNotTimed() throws {
    let graph = try parseModel(
      """
      <ir_version: 8, opset_import: ["" : 17]>
      main (float[4] x) => (float[4] y) <int64 axis = {0}> { y = CumSum (x, axis) }
      """
    ).graph
    let timer = PartTimer(threadCount: 1, evictsWeights: false)
    let plan = try timer.parts(of: graph)
    #expect(plan.parts.count == 1)
    #expect(timer.seconds(of: plan.parts[0], in: plan) == nil)
  }
}
