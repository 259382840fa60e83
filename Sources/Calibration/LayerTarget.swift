import PrunecCoupling
import PrunecGraphIR
import PrunecLinearAlgebra
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// The products of the original that a layer of the small network aims at, of the outputs that are left.
///
/// They are the original's result; or, where the result is more than the products (the state of a recurrent layer takes part in
/// it), what the original's weight makes of what the layer reads in the original,
///
///     W0 x0 + b0
struct LayerTarget {
  /// The value of the original that is looked at.
  let value: ValueID
  private let form: LayerForm
  private let outputs: [Int]
  /// The transposed weight `[rowLength, outputs]` and the bias that make targets of rows.
  private let products: (columns: [Float], bias: [Float])?

  /// `kept` is what the small network has of the original's axes. `nil` where the original's layer is not known.
  init?(of fittable: FittableLayer, _ original: StagedRun, _ kept: [Axis: [Int]]) {
    let axes = fittable.form.outputAxes
    guard axes.allSatisfy({ original.graph.value($0.value) != nil }) else { return nil }
    let shapes = axes.map { original.facts[$0.value].fixedShape }
    guard shapes.allSatisfy({ $0 != nil }) else { return nil }
    let outputs = zip(axes, shapes).reduce([0]) { indices, part in
      let extent = part.1![part.0.index]
      let own = kept[part.0] ?? Array(0..<extent)
      return indices.flatMap { index in own.map { index * extent + $0 } }
    }
    self.outputs = outputs
    if fittable.form.makesResult {
      (value, form, products) = (fittable.result, fittable.form, nil)
      return
    }
    let graph = original.graph
    guard let own = FittableLayer(fittable.layer.node, graph, original.facts),
      let weight = graph[own.layer.weight].constant, let biases = own.biasElements(graph)
    else { return nil }
    let (matrix, length) = (own.form.matrix(of: weight, group: 0), own.form.rowLength)
    value = own.layer.data
    form = own.form
    products = (
      (0..<length).flatMap { column in outputs.map { matrix[$0 * length + column] } },
      outputs.map { biases[$0] }
    )
  }

  /// Number of positions of `value`.
  func positionCount(_ shape: [Int]) -> Int {
    form.positionCount(data: shape, result: shape)
  }

  /// The targets `[positions, outputs]` at some positions of `value`.
  func targets(of tensor: Tensor, at positions: [Int]) -> [Float] {
    guard let products else {
      return form.results(of: tensor, at: positions, channels: outputs)
    }
    let rows = form.rows(of: tensor, at: positions, result: [], group: 0)
    var targets = LinearAlgebra.product(
      rows, products.columns, m: positions.count, k: form.rowLength, n: outputs.count)
    for index in targets.indices { targets[index] += products.bias[index % outputs.count] }
    return targets
  }
}
