import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// Finds axes whose indices stand for something: words of a one-hot code, bins of a distribution, positions.
///
/// There, an index is a number that the network computes with. It is compared with a range of constants,
/// or multiplied by or added to one:
///
///     one_hot = Equal(ids, [0, 1, 2, ...])        words
///     x = Conv(Softmax(bins), [0, 1, 2, ...])     bins: the mean of a distribution
///     x = Add(offset, [0.5, 1.5, 2.5, ...])       positions
///
/// Such constants tell no channel from another by what it is worth, and without an index its meaning is
/// lost. A range is a constant of one axis of more than one element, whose elements are an arithmetic
/// progression: weights that are trained never are.
struct IndexMeaning {
  /// Fewer elements than these may be a progression by chance.
  private static let leastCount = 4
  /// Largest distance from a progression, relative to the largest element, that is rounding.
  private static let tolerance: Float = 1e-5
  private static let comparisons: Set<String> = [
    "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual",
  ]
  private static let arithmetic: Set<String> = ["Add", "Div", "Mod", "Mul", "Pow", "Sub"]

  /// By group, why its indices stand for something.
  static func all(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis, _ layers: [LinearLayer]
  ) -> [Int: PinReason] {
    var reasons: [Int: PinReason] = [:]
    func note(_ constant: ValueID, of node: NodeID, _ what: String) {
      guard let tensor = graph[constant].constant, let axis = axis(ofRange: tensor) else { return }
      for index in 0..<tensor.shape[axis] {
        guard let channel = coupling.channel(of: Axis(constant, axis), index: index),
          reasons[channel.group] == nil
        else { continue }
        reasons[channel.group] = PinReason(
          "its indices have a meaning: they are \(what) the range '\(graph[constant].name)'",
          at: graph.location(of: node))
      }
    }
    for id in graph.nodes {
      let type = graph[id].operation.type
      guard comparisons.contains(type) || arithmetic.contains(type),
        case .understood = facts.resolution(of: id)
      else { continue }
      for case let input? in graph[id].inputs {
        note(input, of: id, comparisons.contains(type) ? "compared with" : "computed with")
      }
    }
    for layer in layers
    where layer.inputAxis == graph[layer.weight].constant.flatMap(axis(ofRange:)) {
      note(layer.weight, of: layer.node, "summed with")
    }
    return reasons
  }

  /// The axis along which the elements are an arithmetic progression, the only one of more than one.
  private static func axis(ofRange tensor: Tensor) -> Int? {
    let wide = tensor.shape.indices.filter { tensor.shape[$0] != 1 }
    guard tensor.hasData, tensor.strings == nil, wide.count == 1, tensor.count >= leastCount,
      tensor.elementType.isFloatingPoint || tensor.elementType.isInteger
    else { return nil }
    let elements = tensor.floats
    let step = (elements[elements.count - 1] - elements[0]) / Float(elements.count - 1)
    let largest = elements.reduce(0) { max($0, abs($1)) }
    guard step != 0, largest.isFinite else { return nil }
    let isRange = elements.indices.allSatisfy { index in
      abs(elements[index] - (elements[0] + Float(index) * step)) <= tolerance * largest
    }
    return isRange && abs(step) > 2 * tolerance * largest ? wide[0] : nil
  }
}
