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
      wZero == nil || constant(wZero) != nil,
      let reach = IntegerSums.reach(
        call.elementType(x), zeroPoint: constant(xZero), isPresent: xZero != nil)
    else { return nil }
    let (filters, channels) = (weight.shape[0], weight.shape[1])
    let zeros = constant(wZero)
    guard [nil, 1, filters].contains(zeros?.count) else { return nil }
    let taps = weight.shape[2...].reduce(1, *)
    let shifted = IntegerSums.shifted(weight, zeros) { $0 / (channels * taps) }
    let parts = IntegerSums.parts(channels, sums: filters, reach: reach) { channel, totals in
      for filter in 0..<filters {
        let first = (filter * channels + channel) * taps
        for tap in first..<(first + taps) { totals[filter] += abs(Int(shifted[tap])) }
      }
    }
    // The channels of groups do not lie side by side.
    guard let parts, parts.count == 1 || call.int("group") == 1 else { return nil }

    let whole = addShifted(input(x)!, zeroPoint: xZero, for: node)
    let attributes = graph[node].attributes
    let products = parts.map { part in
      let image = parts.count == 1 ? whole : addSlice(whole, axis: 1, part, for: node)
      var elements: [Float] = []
      elements.reserveCapacity(filters * part.count * taps)
      for filter in 0..<filters {
        let first = filter * channels * taps
        let range = (first + part.lowerBound * taps)..<(first + part.upperBound * taps)
        elements += shifted[range].lazy.map(Float.init)
      }
      let shape = [filters, part.count] + weight.shape[2...]
      return add(
        "Conv", [image, addConstant(Tensor(elements, shape: shape), for: node)], attributes,
        for: node)
    }
    return addSum(of: products, for: node)
  }
}
