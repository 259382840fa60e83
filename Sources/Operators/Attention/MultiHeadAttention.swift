import PrunecGraphIR
import PrunecTensors

/// MultiHeadAttention (onnxruntime's own): attention of `query [N, S, H E]` over `key [N, T, H E]`
/// and `value [N, T, H F]`, or keys and values `[N, H, T, E]`, with a `bias [2 H E + H F]` that is
/// added to all three first. `past_key` and `past_value [N, H, P, E]` go before them, and the
/// results `present_key` and `present_value` are both. `key_padding_mask` takes keys out by adding
/// `mask_filter_value`, `attention_bias` broadcasts to `[N, H, S, P + T]` and is added. Packed
/// operands and shared buffers are not understood.
///
/// Channels: heads go as wholes; dimensions of queries go with those of keys, and those of values
/// with the result's. What is added to queries and keys is masked with them. Where scale is not
/// given it depends on E, so a cut of E writes the original's.
struct MultiHeadAttention: Operator {
  let signature = Signature(
    "MultiHeadAttention", domain: Signature.runtimeDomain, opsets: 1...1, operands: 1...10,
    results: 1...4,
    attributes: [
      "mask_filter_value": .float(-10000), "num_heads": nil, "scale": .float(0),
      "unidirectional": .int(0),
    ])

  private enum Operand {
    static let (query, key, value, bias, mask, addend) = (0, 1, 2, 3, 4, 5)
    static let (pastKey, pastValue) = (6, 7)
    static let sharing = 8..<10
  }

  private struct Heads {
    let q: AttentionHeads
    let k: AttentionHeads
    let v: AttentionHeads
  }

  /// Whether the operands have a form that is understood.
  private func isUnderstood(_ call: Invocation) -> Bool {
    call.shape(Operand.query)?.count == 3
      && [Operand.key, Operand.value].allSatisfy { [3, 4].contains(call.shape($0)?.count ?? 0) }
      && Operand.sharing.allSatisfy { call.operand($0) == nil }
      && (call.operand(Operand.bias) == nil
        || [Operand.key, Operand.value].allSatisfy { call.shape($0)?.count == 3 })
  }

  private func heads(_ call: Invocation) throws(CompileError) -> Heads? {
    guard isUnderstood(call) else { return nil }
    let count = try call.requiredInt("num_heads")
    guard let q = try AttentionHeads(call.shape(Operand.query), count: count, call),
      let k = try AttentionHeads(call.shape(Operand.key), count: count, call),
      let v = try AttentionHeads(call.shape(Operand.value), count: count, call)
    else { return nil }
    guard q.count == k.count, k.count == v.count, q.width == k.width else {
      throw call.malformed("the heads of query, key and value do not go together")
    }
    if let extent = call.shape(Operand.bias)?.first?.fixedExtent {
      let (total, overflow) = (2 * q.count * q.width).addingReportingOverflow(v.count * v.width)
      guard !overflow, extent == total else {
        throw call.malformed("bias has \(extent) elements")
      }
    }
    for (past, own) in [(Operand.pastKey, k), (Operand.pastValue, v)] {
      guard let shape = call.shape(past) else { continue }
      guard shape.count == 4, shape[1].fixedExtent ?? own.count == own.count,
        shape[3].fixedExtent ?? own.width == own.width
      else { throw call.malformed("operand \(past) does not fit the heads") }
    }
    return Heads(q: q, k: k, v: v)
  }

  // MARK: Facts

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, 2, 3, 5, 6, 7)
    try call.requireSameType(0, 1, 2, 3, 6, 7)
    let type = call.elementType(Operand.query)
    guard let heads = try heads(call), let query = call.shape(Operand.query),
      let key = call.shape(Operand.key)
    else { return call.forResults([type, type, type, nil].map { ValueFacts($0, nil) }) }
    let (batch, count) = (Dimension(query[0].extent), Dimension.fixed(heads.q.count))
    var keys = Dimension(key[heads.k.isSeparate ? 2 : 1].extent)
    if call.operand(Operand.pastKey) != nil {
      let past = call.shape(Operand.pastKey).map { Dimension($0[2].extent) } ?? .unknown
      keys = try .sum([past.extent, keys.extent], call)
    }
    let joined = Dimension.fixed(heads.v.count * heads.v.width)
    return call.forResults([
      ValueFacts(type, [batch, Dimension(query[1].extent), joined]),
      ValueFacts(type, [batch, count, keys, .fixed(heads.k.width)]),
      ValueFacts(type, [batch, count, keys, .fixed(heads.v.width)]),
      ValueFacts(nil, [batch, count, Dimension(query[1].extent), keys]),
    ])
  }

  // MARK: Channels

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let heads = try? heads(call) else { return }
    let (q, k, v) = (heads.q, heads.k, heads.v)
    guard q.width > 0, v.width > 0 else { return }
    let count = relations.virtualAxis(extent: q.count)
    let dimensions = relations.virtualAxis(extent: q.width)
    // onnxruntime asks that keys and values that come in heads, of now or the past, are equally
    // wide.
    let isState =
      k.isSeparate || call.operand(Operand.pastKey) != nil
      || call.results.dropFirst().contains { $0.shape != nil }
    let valueDimensions =
      isState && q.width == v.width ? dimensions : relations.virtualAxis(extent: v.width)
    q.relate(
      { .operand(Operand.query, axis: $0) }, heads: count, dimensions: dimensions, &relations)
    k.relate({ .operand(Operand.key, axis: $0) }, heads: count, dimensions: dimensions, &relations)
    v.relate(
      { .operand(Operand.value, axis: $0) }, heads: count, dimensions: valueDimensions, &relations)
    relations.sum(over: .operand(Operand.query, axis: 2))
    relations.sum(over: .operand(Operand.key, axis: k.isSeparate ? 3 : 2))
    if call.operand(Operand.bias) != nil {
      let whole = AxisReference.operand(Operand.bias, axis: 0)
      for (part, operand) in [Operand.query, Operand.key, Operand.value].enumerated() {
        relations.section(.operand(operand, axis: 2), of: whole, start: part * q.count * q.width)
      }
      relations.sum(overCoefficient: whole)
    }
    if call.operand(Operand.pastKey) != nil {
      relations.equal(.operand(Operand.pastKey, axis: 1), count)
      relations.equal(.operand(Operand.pastKey, axis: 3), dimensions)
      relations.sum(over: .operand(Operand.pastKey, axis: 3))
    }
    if call.operand(Operand.pastValue) != nil {
      relations.equal(.operand(Operand.pastValue, axis: 1), count)
      relations.equal(.operand(Operand.pastValue, axis: 3), valueDimensions)
    }
    q.relateBias(call, Operand.addend, heads: count, &relations)
    for (index, width) in [(0, valueDimensions), (1, dimensions), (2, valueDimensions)] {
      guard index < call.results.count, call.results[index].shape != nil else { continue }
      if index == 0 {
        q.relate({ .result(0, axis: $0) }, heads: count, dimensions: width, &relations)
      } else {
        relations.equal(.result(index, axis: 1), count)
        relations.equal(.result(index, axis: 3), width)
      }
    }
    if call.results.count > 3, call.results[3].shape != nil {
      relations.equal(.result(3, axis: 1), count)
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let q = try heads(call)?.q else { return [] }
    let remaining = q.remaining(cut[.operand(Operand.query, axis: 2)])
    var adaptations: [Adaptation] = []
    if remaining.count != q.count {
      adaptations.append(.attribute(Attribute("num_heads", remaining.count)))
    }
    if remaining.width != q.width, call.float("scale") ?? 0 == 0 {
      adaptations.append(.attribute(Attribute("scale", .float(q.scale(call)))))
    }
    return adaptations
  }

  // MARK: Evaluation

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    guard let heads = try heads(resolved), resolved.results.count < 4 else {
      throw call.unsupported("this form of MultiHeadAttention is not evaluated")
    }
    func operand(_ index: Int) -> Tensor? { index < operands.count ? operands[index] : nil }
    let joined = heads.q.count * heads.q.width
    func separated(_ index: Int, _ own: AttentionHeads) -> Tensor {
      let tensor = operands[index]!
      guard let bias = operand(Operand.bias)?.floats else { return own.separated(tensor) }
      let width = own.count * own.width
      var elements = tensor.floats
      for place in elements.indices { elements[place] += bias[index * joined + place % width] }
      return own.separated(Tensor(rounding: elements, to: tensor.elementType, shape: tensor.shape))
    }
    let query = separated(Operand.query, heads.q)
    var key = separated(Operand.key, heads.k)
    var value = separated(Operand.value, heads.v)
    if let past = operand(Operand.pastKey) { key = .concatenated([past, key], alongAxis: 2) }
    if let past = operand(Operand.pastValue) { value = .concatenated([past, value], alongAxis: 2) }
    guard query.shape[0] == key.shape[0], key.shape[..<3] == value.shape[..<3] else {
      throw call.malformed("query, key and value do not go together")
    }
    let bias = try RuntimeAttentionBias(
      call, [query.shape[0], query.shape[1], query.shape[2], key.shape[2]],
      mask: operand(Operand.mask), addend: operand(Operand.addend),
      past: operand(Operand.pastKey)?.shape[2] ?? 0, isCausal: call.int("unidirectional") != 0)
    let product = ScaledDotProduct(
      query: query, key: key, value: value, scale: heads.q.scale(call), bias: bias.row)
    let results = [heads.q.joined(product.evaluate().y), key, value]
    return Array(results.prefix(resolved.results.count))
  }

  func macs(_ call: Invocation) -> Int {
    guard isUnderstood(call), let query = call.shape(Operand.query),
      let key = call.shape(Operand.key),
      let y = call.results.first?.shape
    else { return 0 }
    let past = call.shape(Operand.pastKey).map { $0.count == 4 ? $0[2].nominalExtent : 0 } ?? 0
    let keys = key[key.count == 4 ? 2 : 1].nominalExtent &+ past
    return [query, y].reduce(0) { sum, shape in
      sum &+ shape.reduce(keys) { $0 &* $1.nominalExtent }
    }
  }
}
