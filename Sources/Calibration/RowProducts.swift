import PrunecGraphIR
import PrunecRuntime
import PrunecTensors

/// Products of rows with each other and with their targets, by the kernels that run models.
///
///     second [K, K] = X^T X,  cross [M, K] = Y^T X        X [rows, K], Y [rows, M]
///
/// The first is symmetric. Of long rows it is computed in panels, each from the diagonal on.
package final class RowProducts {
  private struct Key: Hashable {
    let inputs, outputs: Int
  }

  /// Some rows of X^T X, without the columns before the first of them.
  struct Panel {
    /// Index of the first row, and of the first column.
    let first: Int
    /// `[rows, K - first]`.
    let elements: [Float]
  }

  private let threadCount: Int
  /// The last one used: layers come one after the other, and each holds memory of its own.
  private var last: (key: Key, session: Session)?

  package init(threadCount: Int = Session.processorCount) { self.threadCount = threadCount }

  /// The products for `count` rows `x` of length `inputs` and targets `y` of length `outputs`.
  func products(
    _ x: [Float], _ y: [Float], count: Int, inputs: Int, outputs: Int
  ) throws(CompileError) -> (second: [Panel], cross: [Float]) {
    let rows = Tensor(x, shape: [count, inputs])
    let session = session(Key(inputs: inputs, outputs: outputs))
    let operands = outputs > 0 ? [rows, Tensor(y, shape: [count, outputs])] : [rows]
    let results = try session.run(operands)
    let starts = Self.panels(inputs)
    let panels = zip(starts, results).map { Panel(first: $0.lowerBound, elements: $1.floats) }
    return (panels, outputs > 0 ? results[starts.count].floats : [])
  }

  /// Most panels, and the fewest rows that are worth one.
  private static let (panelLimit, panelHeight) = (8, 128)

  /// The rows of each panel.
  private static func panels(_ inputs: Int) -> [Range<Int>] {
    let height = max(panelHeight, (inputs + panelLimit - 1) / panelLimit)
    return stride(from: 0, to: max(1, inputs), by: height).map { $0..<min($0 + height, inputs) }
  }

  private func session(_ key: Key) -> Session {
    if let last, last.key == key { return last.session }
    var graph = Graph(name: "products", opsetImports: [OpsetImport("", 17)])
    let x = graph.addInput(name: "x", type: nil)
    let panels = Self.panels(key.inputs)
    for panel in panels {
      let rest = panel.lowerBound..<key.inputs
      Self.addProduct(
        panels.count == 1 ? x : Self.columns(panel, of: x, &graph),
        panels.count == 1 ? x : Self.columns(rest, of: x, &graph), &graph)
    }
    if key.outputs > 0 { Self.addProduct(graph.addInput(name: "y", type: nil), x, &graph) }
    let session = Session(graph, threadCount: threadCount)
    last = (key, session)
    return session
  }

  /// Adds `left^T right` to the outputs.
  private static func addProduct(_ left: ValueID, _ right: ValueID, _ graph: inout Graph) {
    let turned = add("Transpose", [left], [Attribute("perm", [1, 0])], &graph)
    let product = add("MatMul", [turned, right], [], &graph)
    graph.addOutput(name: graph[product].name, product)
  }

  private static func columns(
    _ range: Range<Int>, of value: ValueID, _ graph: inout Graph
  ) -> ValueID {
    let bounds = [range.lowerBound, range.upperBound, 1].map {
      graph.addInitializer(name: graph.uniqueName("bound"), Tensor([$0]))
    }
    return add("Slice", [value] + bounds, [], &graph)
  }

  private static func add(
    _ name: String, _ inputs: [ValueID], _ attributes: [Attribute], _ graph: inout Graph
  ) -> ValueID {
    let node = graph.insert(
      OperationName(name), name: "", inputs: inputs, outputs: [(graph.uniqueName(name), nil)],
      attributes: attributes, at: .atEnd)
    return graph[node].outputs[0]!
  }
}
