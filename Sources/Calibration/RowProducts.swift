/// Products of rows with each other and with their targets, by the kernels that run models.
///
///     second [K, K] = X^T X,  cross [M, K] = Y^T X        X [rows, K], Y [rows, M]
public final class RowProducts {
  private struct Key: Hashable {
    let inputs, outputs: Int
  }

  private let threadCount: Int
  /// The last one used: layers come one after the other, and each holds memory of its own.
  private var last: (key: Key, session: Session)?

  public init(threadCount: Int = Session.processorCount) { self.threadCount = threadCount }

  /// The products for `count` rows `x` of length `inputs` and targets `y` of length `outputs`.
  func products(
    _ x: [Float], _ y: [Float], count: Int, inputs: Int, outputs: Int
  ) throws(CompileError) -> (second: [Float], cross: [Float]) {
    let rows = Tensor(x, shape: [count, inputs])
    let session = session(Key(inputs: inputs, outputs: outputs))
    guard outputs > 0 else { return (try session.run([rows])[0].floats, []) }
    let results = try session.run([rows, Tensor(y, shape: [count, outputs])])
    return (results[0].floats, results[1].floats)
  }

  private func session(_ key: Key) -> Session {
    if let last, last.key == key { return last.session }
    var graph = Graph(name: "products", opsetImports: [OpsetImport("", 17)])
    let x = graph.addInput(name: "x", type: nil)
    let inputs = key.outputs > 0 ? [x, graph.addInput(name: "y", type: nil)] : [x]
    for (index, input) in inputs.enumerated() {
      let turned = graph.insert(
        OperationName("Transpose"), name: "", inputs: [input], outputs: [("turned\(index)", nil)],
        attributes: [Attribute("perm", [1, 0])], at: .atEnd)
      let product = graph.insert(
        OperationName("MatMul"), name: "", inputs: [graph[turned].outputs[0]!, x],
        outputs: [("product\(index)", nil)], at: .atEnd)
      graph.addOutput(name: "product\(index)", graph[product].outputs[0]!)
    }
    let session = Session(graph, threadCount: threadCount)
    last = (key, session)
    return session
  }
}
