import PrunecGraphIR
import PrunecTensors

/// Attention (onnxruntime's own): self-attention with its projections. `input [N, S, I]` times
/// `weights [I, 2 H E + H F]`, plus `bias`, gives queries, keys and values side by side; their
/// widths `[H E, H E, H F]` are `qkv_hidden_sizes`, or thirds. `past [2, N, H, P, E]` goes before
/// keys and values, and the result `present` is both. `mask_index` takes keys out by adding
/// `mask_filter_value`, `attention_bias` broadcasts to `[N, H, S, P + S]` and is added. Rotation
/// and shared buffers are not understood.
///
/// Channels: I is summed over. Heads go as wholes; dimensions of queries go with those of keys, and
/// those of values with the result's. What the node multiplies queries and keys with are its own
/// products, so that weights and bias are masked. Where scale is not given it depends on E, so a
/// cut of E writes the original's.
struct RuntimeAttention: Operator {
  let signature = Signature(
    "Attention", domain: Signature.runtimeDomain, opsets: 1...1, operands: 2...7, results: 1...2,
    attributes: [
      "do_rotary": .int(0), "mask_filter_value": .float(-10000), "num_heads": nil,
      "past_present_share_buffer": .int(0), "qkv_hidden_sizes": nil,
      "rotary_embedding_dim": .int(0), "scale": .float(0), "unidirectional": .int(0),
    ])

  private enum Operand {
    static let (input, weights, bias, mask, past, addend, pastLength) = (0, 1, 2, 3, 4, 5, 6)
  }

  private func isUnderstood(_ call: Invocation) -> Bool {
    call.int("do_rotary") == 0 && call.int("past_present_share_buffer") == 0
      && call.operand(Operand.pastLength) == nil
  }

  /// The heads of queries and keys, and of values.
  private func heads(
    _ call: Invocation
  ) throws(CompileError) -> (keys: AttentionHeads, values: AttentionHeads)? {
    let count = try call.requiredInt("num_heads")
    guard isUnderstood(call) else { return nil }
    guard call.shape(Operand.input)?.count ?? 3 == 3, call.shape(Operand.weights)?.count ?? 2 == 2
    else { throw call.malformed("input and weights have the wrong number of axes") }
    guard let whole = call.shape(Operand.weights)?[1].fixedExtent else { return nil }
    var widths = try call.optionalInts("qkv_hidden_sizes") ?? []
    if widths.isEmpty { widths = [Int](repeating: whole / 3, count: 3) }
    guard widths.count == 3, widths[0] == widths[1],
      widths.allSatisfy({ (0...whole).contains($0) }),
      widths[0] + widths[1] + widths[2] == whole
    else { throw call.malformed("\(whole) columns are not queries, keys and values") }
    let parts = try [widths[0], widths[2]].map { (width) throws(CompileError) in
      try AttentionHeads([.unknown, .unknown, .fixed(width)], count: count, call)!
    }
    try call.requireVector(Operand.bias, of: whole)
    if let past = call.shape(Operand.past) {
      guard past.count == 5, past[2].fixedExtent ?? count == count,
        past[4].fixedExtent ?? parts[0].width == parts[0].width, parts[0].width == parts[1].width
      else { throw call.malformed("past does not fit the heads") }
    }
    return (parts[0], parts[1])
  }

  // MARK: Facts

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, 2, 4, 5)
    try call.requireSameType(0, 1, 2, 4)
    let type = call.elementType(Operand.input)
    guard let (keys, values) = try heads(call), let input = call.shape(Operand.input) else {
      return call.forResults([ValueFacts(type, nil), ValueFacts(type, nil)])
    }
    if let rows = call.shape(Operand.weights)?[0].fixedExtent,
      input[2].fixedExtent ?? rows != rows
    {
      throw call.malformed("weights have \(rows) rows for another width")
    }
    let (batch, steps) = (Dimension(input[0].extent), Dimension(input[1].extent))
    var total = steps
    if call.operand(Operand.past) != nil {
      let past = call.shape(Operand.past).map { Dimension($0[3].extent) } ?? .unknown
      total = try .sum([past.extent, steps.extent], call)
    }
    let heads = Dimension.fixed(keys.count)
    return call.forResults([
      ValueFacts(type, [batch, steps, .fixed(values.count * values.width)]),
      ValueFacts(type, [.fixed(2), batch, heads, total, .fixed(keys.width)]),
    ])
  }

  // MARK: Channels

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let (keys, values) = try? heads(call), keys.width > 0, values.width > 0
    else { return }
    let (input, rows) = (
      AxisReference.operand(Operand.input, axis: 2), AxisReference.operand(Operand.weights, axis: 0)
    )
    relations.equal(input, rows)
    relations.sum(over: input)
    relations.sum(over: rows)
    let count = relations.virtualAxis(extent: keys.count)
    let dimensions = relations.virtualAxis(extent: keys.width)
    let hasState = call.operand(Operand.past) != nil || call.results.count > 1
    // Keys and values of a state lie side by side, and are equally wide.
    let valueDimensions =
      hasState && keys.width == values.width
      ? dimensions : relations.virtualAxis(extent: values.width)
    let joined = keys.count * keys.width
    let queries = relations.virtualAxis(extent: joined)
    let columns = [queries, queries, .result(0, axis: 2)]
    relations.split(queries, into: [count, dimensions])
    relations.split(.result(0, axis: 2), into: [count, valueDimensions])
    for operand in [(Operand.weights, 1), (Operand.bias, 0)] where call.operand(operand.0) != nil {
      let whole = AxisReference.operand(operand.0, axis: operand.1)
      for (part, column) in columns.enumerated() {
        relations.section(column, of: whole, start: part * joined)
      }
      relations.sum(overCoefficient: whole)
    }
    let states =
      (call.operand(Operand.past) == nil ? [] : [{ AxisReference.operand(Operand.past, axis: $0) }])
      + (call.results.count > 1 && call.results[1].shape != nil
        ? [{ AxisReference.result(1, axis: $0) }] : [])
    for state in states {
      relations.equal(state(2), count)
      relations.equal(state(4), dimensions)
    }
    if call.operand(Operand.past) != nil {
      relations.sum(over: .operand(Operand.past, axis: 4))
    }
    keys.relateBias(call, Operand.addend, heads: count, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let keys = try heads(call)?.keys, let kept = cut[.operand(Operand.weights, axis: 1)]
    else { return [] }
    let joined = keys.count * keys.width
    let remaining = keys.remaining(kept.filter { $0 < joined })
    let columns = [remaining.count * remaining.width, kept.filter { $0 >= 2 * joined }.count]
    var adaptations: [Adaptation] = []
    if remaining.count != keys.count {
      adaptations.append(.attribute(Attribute("num_heads", remaining.count)))
    }
    if remaining.width != keys.width, call.float("scale") ?? 0 == 0 {
      adaptations.append(.attribute(Attribute("scale", .float(keys.scale(call)))))
    }
    if call.has("qkv_hidden_sizes") || columns[0] != columns[1] {
      adaptations.append(
        .attribute(Attribute("qkv_hidden_sizes", [columns[0], columns[0], columns[1]])))
    }
    return adaptations
  }

  // MARK: Evaluation

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    guard let (keys, values) = try heads(resolved) else {
      throw call.unsupported("this form of Attention is not evaluated")
    }
    func operand(_ index: Int) -> Tensor? { index < operands.count ? operands[index] : nil }
    let input = operands[Operand.input]!
    var projected = MatMul.product(input, operands[Operand.weights]!)
    let columns = projected.shape[2]
    if let bias = operand(Operand.bias)?.floats {
      var elements = projected.floats
      for index in elements.indices { elements[index] += bias[index % columns] }
      projected = Tensor(rounding: elements, to: input.elementType, shape: projected.shape)
    }
    let joined = keys.count * keys.width
    func part(_ range: Range<Int>, _ heads: AttentionHeads) -> Tensor {
      heads.separated(projected.keeping(Array(range), alongAxis: 2))
    }
    let query = part(0..<joined, keys)
    var (key, value) = (part(joined..<(2 * joined), keys), part((2 * joined)..<columns, values))
    var past = 0
    if let state = operand(Operand.past) {
      guard state.shape[0] == 2, state.shape[1] == input.shape[0] else {
        throw call.malformed("past has shape \(state.shape)")
      }
      past = state.shape[3]
      let halves = (0..<2).map {
        state.keeping([$0], alongAxis: 0).reshaped(Array(state.shape[1...]))
      }
      key = .concatenated([halves[0], key], alongAxis: 2)
      value = .concatenated([halves[1], value], alongAxis: 2)
    }
    let bias = try RuntimeAttentionBias(
      call, [query.shape[0], query.shape[1], query.shape[2], key.shape[2]],
      mask: operand(Operand.mask), addend: operand(Operand.addend), past: past,
      isCausal: call.int("unidirectional") != 0)
    let product = ScaledDotProduct(
      query: query, key: key, value: value, scale: keys.scale(call), bias: bias.row)
    let y = keys.joined(product.evaluate().y)
    guard resolved.results.count > 1 else { return [y] }
    guard keys.width == values.width else {
      throw call.unsupported("a state of keys and values of different widths is not evaluated")
    }
    let state = [key, value].map { $0.reshaped([1] + $0.shape) }
    return [y, .concatenated(state, alongAxis: 0)]
  }

  func macs(_ call: Invocation) -> Int {
    guard let input = call.shape(Operand.input), let weights = call.shape(Operand.weights),
      input.count == 3, weights.count == 2, let y = call.results.first?.shape
    else { return 0 }
    func product(_ dimensions: [Dimension]) -> Int {
      dimensions.reduce(1) { $0 &* $1.nominalExtent }
    }
    let past = call.shape(Operand.past).map { $0.count == 5 ? $0[3].nominalExtent : 0 } ?? 0
    // Keys are as wide as what the values leave of the columns, by two.
    let joined = max(0, weights[1].nominalExtent &- y[2].nominalExtent) / 2
    let keys = input[1].nominalExtent &+ past
    let rows = product(Array(input[..<2]))
    return product(input + [weights[1]]) &+ rows &* keys &* (joined &+ y[2].nominalExtent)
  }
}
