import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics
import PrunecTensors
import Testing

/// A graph of one layer, what it reads and what it makes.
struct LayerCase {
  let graph: Graph
  let form: LayerForm
  let layer: FittableLayer
  let data: Tensor
  let result: Tensor

  /// The layer in `text`, whose first input is its data and whose first output its result.
  init(_ text: String, seed: UInt64 = 1) throws {
    graph = try parseModel(text).graph
    let facts = try GraphFacts(of: graph)
    let found = try #require(LinearLayer.all(in: graph, facts).first)
    form = try #require(LayerForm(found, graph, facts))
    layer = try #require(FittableLayer(found, graph, facts))
    let inputs = try SeededInputs(seed: seed).tensors(for: graph)
    data = inputs[0]
    result = try ReferenceEvaluator(graph).run(inputs)[0]
  }

  var weight: Tensor { graph[layer.layer.weight].constant! }

  /// What the rows at some positions times the matrices of all groups, plus the bias, come to.
  func product(at positions: [Int]) -> [Float] {
    let biases =
      layer.biasElements(graph) ?? [Float](repeating: 0, count: form.groups * form.outputs)
    var results = [Float](repeating: 0, count: positions.count * biases.count)
    for group in 0..<form.groups {
      let rows = form.rows(of: data, at: positions, result: result.shape, group: group)
      let matrix = form.matrix(of: weight, group: group)
      for position in positions.indices {
        for output in 0..<form.outputs {
          let channel = group * form.outputs + output
          results[position * biases.count + channel] = (0..<form.rowLength).reduce(biases[channel])
          {
            $0 + rows[position * form.rowLength + $1] * matrix[output * form.rowLength + $1]
          }
        }
      }
    }
    return results
  }
}

/// Whether two lists agree up to rounding.
func areClose(_ actual: [Float], _ expected: [Float], tolerance: Float = 1e-4) -> Bool {
  actual.count == expected.count
    && zip(actual, expected).allSatisfy { abs($0 - $1) <= tolerance * max(1, abs($1)) }
}
