import PrunecGraphIR
import PrunecOperators
import PrunecTensors

extension SyntheticSamples.Distribution {
  /// Mean and deviation of an input as the nodes that first read it suggest.
  ///
  /// | what reads the input x | taken for |
  /// | --- | --- |
  /// | `a x + b`, by elementwise nodes with constants, then a batch normalization | `a x + b` of its running mean and variance |
  /// | `a x + b`, b not zero: a standardization | `a x + b` of mean 0 and deviation 1 |
  /// | `a x` alone, which brings pixels to between 0 and 1 | `a x` of mean 0.45 and deviation 0.25 |
  ///
  /// Constants of several elements, one for each channel, count their mean. Bytes `[N, C, H, W]` that nothing tells more of are pixels:
  /// of mean 0.45 and deviation 0.25 where 1 is 255. `nil` where nothing tells anything.
  package static func guess(ofInput input: ValueID, in graph: Graph) -> Self? {
    var line = Line()
    var value = input
    while let node = reader(of: value, graph) {
      if graph[node].operation == OperationName("BatchNormalization") {
        return line.origin(of: running(node, graph))
      }
      guard let next = line.applying(node, to: value, graph),
        let result = graph[node].outputs.first ?? nil
      else { break }
      (line, value) = (next, result)
    }
    if line.shift != 0 { return line.origin(of: Self(mean: 0, deviation: 1)) }
    let pixels = Self(mean: 0.45, deviation: 0.25)
    if line.scale != 1 { return line.origin(of: pixels) }
    guard graph[input].tensorType?.elementType == .uint8 else { return nil }
    return Line(scale: 1 / 255).origin(of: pixels)
  }

  /// The one node that reads a value's elements.
  private static func reader(of value: ValueID, _ graph: Graph) -> NodeID? {
    let readers = Set(graph[value].uses.compactMap(\.node)).filter {
      graph[$0].operation != OperationName("Shape")
    }
    return readers.count == 1 ? readers.first : nil
  }

  /// The running mean and deviation of a batch normalization, over its channels.
  private static func running(_ node: NodeID, _ graph: Graph) -> Self? {
    let inputs = graph[node].inputs
    guard inputs.count >= 5, let mean = constant(inputs[3], graph),
      let variance = constant(inputs[4], graph), variance >= 0
    else { return nil }
    return Self(mean: mean, deviation: variance.squareRoot())
  }

  /// The mean of a constant's elements.
  fileprivate static func constant(_ value: ValueID?, _ graph: Graph) -> Float? {
    guard let tensor = value.flatMap({ graph[$0].constant }), tensor.hasData, tensor.count > 0,
      tensor.elementType.isFloatingPoint
    else { return nil }
    return tensor.floats.reduce(0, +) / Float(tensor.count)
  }

  /// Line that elementwise nodes compute of an input: `scale x + shift`.
  private struct Line {
    var scale: Float = 1
    var shift: Float = 0

    /// The distribution of the input where the line's result has `result`.
    func origin(of result: SyntheticSamples.Distribution?) -> SyntheticSamples.Distribution? {
      guard let result, scale != 0, scale.isFinite, result.deviation > 0 else { return nil }
      return SyntheticSamples.Distribution(
        mean: (result.mean - shift) / scale, deviation: result.deviation / abs(scale))
    }

    /// The line with a node more; `nil` where the node is none that adds or multiplies constants.
    func applying(_ node: NodeID, to value: ValueID, _ graph: Graph) -> Line? {
      let operation = graph[node].operation
      let kept = ["Cast", "Identity", "Transpose", "Reshape", "Unsqueeze", "Squeeze"]
      if kept.contains(where: { operation == OperationName($0) }) {
        return graph[node].inputs.first == value ? self : nil
      }
      let operands = graph[node].inputs
      guard operands.count == 2, let place = operands.firstIndex(of: value),
        let number = SyntheticSamples.Distribution.constant(operands[1 - place], graph)
      else { return nil }
      switch (operation.type, place) {
      case ("Add", _): return Line(scale: scale, shift: shift + number)
      case ("Sub", 0): return Line(scale: scale, shift: shift - number)
      case ("Sub", _): return Line(scale: -scale, shift: number - shift)
      case ("Mul", _): return Line(scale: scale * number, shift: shift * number)
      case ("Div", 0) where number != 0: return Line(scale: scale / number, shift: shift / number)
      default: return nil
      }
    }
  }
}
