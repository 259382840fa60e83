import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// ConvInteger and QLinearConv as Conv.
extension ExpandedGraph {
  mutating func expandConvInteger(_ node: NodeID, _ call: Invocation) -> [ValueID?]? {
    addConvolutionSums(node, call, x: 0, xZeroPoint: 2, w: 1, wZeroPoint: 3).map { [$0] }
  }

  mutating func expandQLinearConv(_ node: NodeID, _ call: Invocation) -> [ValueID?]? {
    let inputs = graph[node].inputs
    guard let weight = constant(inputs[3]), weight.rank >= 3,
      let factors = factors(
        inputs[1], inputs[4], inputs[6], filters: weight.shape[0], trailingAxes: weight.rank - 2),
      isSingle(inputs[7], call, 7)
    else { return nil }
    let biases = inputs.count > 8 ? inputs[8] : nil
    guard biases == nil || constant(biases)?.count == weight.shape[0],
      var sums = addConvolutionSums(node, call, x: 0, xZeroPoint: 2, w: 3, wZeroPoint: 5)
    else { return nil }
    if let numbers = constant(biases) {
      let shape = [numbers.count] + [Int](repeating: 1, count: weight.rank - 2)
      let column = Tensor(.int32, shape: shape, elements: numbers.array(of: Int32.self))
      sums = add("Add", [sums, addConstant(column, for: node)], for: node)
    }
    return [addRequantized(sums, by: factors, zeroPoint: inputs[7]!, for: node)]
  }

  /// The sums of a convolution, as int32; the numbers are places of operands.
  private mutating func addConvolutionSums(
    _ node: NodeID, _ call: Invocation, x: Int, xZeroPoint: Int, w: Int, wZeroPoint: Int
  ) -> ValueID? {
    let inputs = graph[node].inputs
    func input(_ index: Int) -> ValueID? { index < inputs.count ? inputs[index] : nil }
    let (xZero, wZero) = (input(xZeroPoint), input(wZeroPoint))
    guard let weight = constant(input(w)), weight.rank >= 3, weight.count > 0,
      xZero == nil || isSingle(xZero, call, xZeroPoint),
      isZeroPoint(wZero, filters: weight.shape[0], call),
      let reach = IntegerSums.reach(
        call.elementType(x), zeroPoint: constant(xZero), isPresent: xZero != nil)
    else { return nil }
    let (filters, channels) = (weight.shape[0], weight.shape[1])
    let zeros = constant(wZero)
    let taps = weight.shape[2...].reduce(1, *)
    let magnitudes = IntegerSums.magnitudes(weight, zeros) { $0 / (channels * taps) }
    let parts = IntegerSums.parts(channels, reach: reach) { channel in
      (0..<filters).map { filter in
        let first = (filter * channels + channel) * taps
        return magnitudes[first..<(first + taps)].reduce(0) { $0 + Int($1) }
      }
    }
    // The channels of groups do not lie side by side.
    guard let parts, parts.count == 1 || call.int("group") == 1 else { return nil }

    let image = addShifted(input(x)!, zeroPoint: xZero, for: node)
    let weights = addShifted(
      input(w)!, zeroPoint: wZero, axis: zeros.flatMap { $0.count > 1 ? 0 : nil }, for: node)
    let attributes = graph[node].attributes
    guard parts.count > 1 else {
      return addSum(of: [addExact("Conv", [image, weights], attributes, for: node)], for: node)
    }
    let products = parts.map { part in
      let partX = addSlice(image, axis: 1, part, for: node)
      let partW = addSlice(weights, axis: 1, part, for: node)
      return addExact("Conv", [partX, partW], attributes, for: node)
    }
    return addSum(of: products, for: node)
  }
}
