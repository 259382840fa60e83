import PrunecCoupling
import PrunecGraphIR
import PrunecTensors

/// The fit of layers to the channels that are left, on sums over what they read in the original.
///
///     W' = W C[:, k] C[k, k]^-1,  b' = b + (W - W') mean        C = covariance + r I
///
/// where k is what stays of a layer's inputs (`NestedFit`). Every layer makes up for what it alone loses, on the original's inputs: no
/// errors of the layers before it are known (symmetric reconstruction), and no samples are needed.
package enum SymmetricFit {
  /// Changes of the constants of `graph`, whose layers lose all of their inputs but `kept`. Layers of which nothing is known, or which
  /// lose nothing, stay.
  package static func changes(
    of graph: Graph, keeping kept: [Axis: [Int]], _ statistics: LayerStatistics
  ) -> [Reconstruction.Change] {
    statistics.entries.flatMap { layer, moments -> [Reconstruction.Change] in
      guard
        let axis = layer.form.inputAxes.first(where: {
          kept[Axis(layer.layer.weight, $0)] != nil
        }), let stays = kept[Axis(layer.layer.weight, axis)],
        let weight = graph.value(layer.layer.weight)?.constant
      else { return [] }
      let form = layer.form
      let places = form.rowElements(alongInput: axis)
      guard stays.count < places.count else { return [] }
      let consumer = ChannelConsumer(
        layer: layer, moments: moments, matrix: form.matrix(of: weight, group: 0).map(Double.init),
        places: places)
      let staying = Set(stays)
      let ranking = places.indices.filter { !staying.contains($0) } + stays
      guard let matrix = NestedFit(consumer, ranking: ranking)?.matrix(keeping: stays.count) else {
        return []
      }
      return changes(of: layer, to: matrix, consumer, weight, graph)
    }
  }

  private static func changes(
    of layer: FittableLayer, to matrix: [Double], _ consumer: ChannelConsumer, _ weight: Tensor,
    _ graph: Graph
  ) -> [Reconstruction.Change] {
    var elements = weight.floats
    layer.form.put(matrix.map(Float.init), group: 0, into: &elements)
    let new = Reconstruction.Change.constant(
      layer.layer.weight,
      Tensor(rounding: elements, to: weight.elementType, shape: weight.shape))
    guard var biases = layer.biasElements(graph) else { return [new] }
    let (length, mean) = (consumer.moments.inputs, consumer.moments.inputMean)
    for row in biases.indices {
      var shift = 0.0
      for column in 0..<length {
        let place = row * length + column
        shift += (consumer.matrix[place] - matrix[place]) * mean[column]
      }
      biases[row] += Float(shift)
    }
    switch layer.bias {
    case .impossible: return [new]
    case .constant(let value):
      return [new, .constant(value, layer.bias(biases, replacing: graph[value].constant!))]
    case .absent(let operand):
      let tensor = layer.newBias(biases, weight.elementType)
      return [
        new,
        .operand(
          operand, of: layer.layer.node, named: graph[layer.layer.weight].name + ".bias", tensor,
          channels: layer.biasChannels),
      ]
    }
  }
}
