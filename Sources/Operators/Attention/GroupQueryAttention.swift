import PrunecGraphIR
import PrunecTensors

/// GroupQueryAttention (onnxruntime's own): attention of `query [N, S, H E]` over `key` and
/// `value [N, S, G E]` of the same steps, or of `query [N, S, H E + 2 G E]` that holds all three; G
/// divides H, and neighbouring query heads share one of keys and values.
///
/// There are `total_sequence_length` T steps, of which batch item n has `seqlens_k[n] + 1`; those
/// before S come from `past_key` and `past_value [N, G, P, E]`, and the results `present_key` and
/// `present_value [N, G, max(P, T), E]` are both. With `do_rotary`, queries and keys are turned by
/// the rows of `cos_cache` and `sin_cache [M, R/2]` at their steps, or at `position_ids [N, S]`. A
/// query sees no later key unless `causal` is 0, and with `local_window_size` only so many.
/// `attention_bias` broadcasts to `[N, H, S, T]` and is added, and `head_sink [H]`, or with
/// `smooth_softmax` 0, takes part in the softmax as the score of nothing. Quantized and windowed
/// caches, normalized queries and the fourth result are not understood.
///
/// Channels: a head of keys and values goes with its query heads; of these, the same of every group
/// may go. Heads keep their dimensions: onnxruntime asks for multiples of 8.
struct GroupQueryAttention: Operator {
  let signature = Signature(
    "GroupQueryAttention", domain: Signature.runtimeDomain, opsets: 1...1, operands: 1...16,
    results: 1...4,
    attributes: [
      "causal": .int(1), "do_rotary": .int(0), "k_quant_type": .string(Array("NONE".utf8)),
      "kv_num_heads": nil, "local_window_size": .int(-1), "num_heads": nil,
      "qk_norm_epsilon": .float(1e-6), "qk_output": .int(0), "rotary_interleaved": .int(0),
      "scale": .float(0), "sliding_window_cache": .int(0), "smooth_softmax": .int(-1),
      "softcap": .float(0), "v_quant_type": .string(Array("NONE".utf8)),
    ])

  private enum Operand {
    static let (query, key, value, pastKey, pastValue) = (0, 1, 2, 3, 4)
    static let (lengths, total, cosine, sine, positions, addend, sink) = (5, 6, 7, 8, 9, 10, 11)
    static let foreign = 12..<16
  }

  private struct Heads {
    let q: AttentionHeads
    let kv: AttentionHeads
    let isPacked: Bool

    /// The columns of queries and of keys.
    var joined: (q: Int, kv: Int) { (q.count * q.width, kv.count * kv.width) }
  }

  private func isUnderstood(_ call: Invocation) -> Bool {
    Operand.foreign.allSatisfy { call.operand($0) == nil } && call.results.count <= 3
      && call.int("qk_output") == 0 && call.int("sliding_window_cache") == 0
      && call.string("k_quant_type") == "NONE" && call.string("v_quant_type") == "NONE"
  }

  private func heads(_ call: Invocation) throws(CompileError) -> Heads? {
    let count = try call.requiredInt("num_heads")
    let groups = try call.requiredInt("kv_num_heads")
    guard groups > 0, count > 0, count % groups == 0 else {
      throw call.malformed("\(count) and \(groups) heads do not go together")
    }
    let isPacked = call.operand(Operand.key) == nil
    guard isUnderstood(call) else { return nil }
    for pair in [
      (Operand.key, Operand.value), (Operand.pastKey, Operand.pastValue),
      (Operand.cosine, Operand.sine),
    ] where (call.operand(pair.0) == nil) != (call.operand(pair.1) == nil) {
      throw call.malformed("only one of operands \(pair.0) and \(pair.1) is given")
    }
    for operand in [Operand.lengths, Operand.total] where call.operand(operand) == nil {
      throw call.malformed("operand \(operand) is left out")
    }
    guard let query = call.shape(Operand.query) else { return nil }
    guard query.count == 3 else { throw call.malformed("query has \(query.count) axes") }
    guard let whole = query[2].fixedExtent else { return nil }
    // No more heads than channels: sums of them are in range.
    guard count <= whole else {
      throw call.malformed("\(whole) channels do not divide into \(count) heads")
    }
    let parts = isPacked ? count &+ 2 &* groups : count
    guard parts > 0, whole % parts == 0 else {
      throw call.malformed("\(whole) channels do not divide into \(parts) heads")
    }
    let width = whole / parts
    func made(_ count: Int) throws(CompileError) -> AttentionHeads {
      try AttentionHeads([.unknown, .unknown, .fixed(count * width)], count: count, call)!
    }
    let (q, kv) = (try made(count), try made(groups))
    for operand in [Operand.key, Operand.value] {
      guard let shape = call.shape(operand) else { continue }
      guard shape.count == 3, shape[2].fixedExtent ?? groups * width == groups * width else {
        throw call.malformed("operand \(operand) does not fit \(groups) heads of \(width)")
      }
    }
    for operand in [Operand.pastKey, Operand.pastValue] {
      guard let shape = call.shape(operand) else { continue }
      guard shape.count == 4, shape[1].fixedExtent ?? groups == groups,
        shape[3].fixedExtent ?? width == width
      else { throw call.malformed("operand \(operand) does not fit \(groups) heads of \(width)") }
    }
    for operand in [Operand.cosine, Operand.sine] {
      guard let shape = call.shape(operand) else { continue }
      guard shape.count == 2, shape[1].fixedExtent ?? 0 <= width / 2 else {
        throw call.malformed("operand \(operand) does not fit heads of \(width)")
      }
    }
    try call.requireVector(Operand.sink, of: count)
    return Heads(q: q, kv: kv, isPacked: isPacked)
  }

  // MARK: Facts

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, 2, 3, 4, 7, 8, 10, 11)
    try call.requireSameType(0, 1, 2, 7, 8)
    for operand in [Operand.lengths, Operand.total] { try call.requireIntegerList(operand) }
    let type = call.elementType(Operand.query)
    guard let heads = try heads(call), let query = call.shape(Operand.query) else {
      return call.forResults([type, type, type, nil].map { ValueFacts($0, nil) })
    }
    let batch = Dimension(query[0].extent)
    let state = [
      batch, .fixed(heads.kv.count), try presentSteps(call), .fixed(heads.kv.width),
    ]
    return call.forResults([
      ValueFacts(type, [batch, Dimension(query[1].extent), .fixed(heads.joined.q)]),
      ValueFacts(type, state), ValueFacts(type, state),
    ])
  }

  /// The larger one of all steps and of those that the past has room for.
  private func presentSteps(_ call: Invocation) throws(CompileError) -> Dimension {
    guard let elements = call.operand(Operand.total)?.integers else { return .unknown }
    guard elements.count == 1, elements[0].number ?? 0 >= 0 else {
      throw call.malformed("total_sequence_length is no number of steps")
    }
    guard call.operand(Operand.pastKey) != nil else { return Dimension(elements[0]) }
    guard let total = elements[0].number, let past = call.shape(Operand.pastKey)?[2].fixedExtent
    else { return .unknown }
    return .fixed(max(total, past))
  }

  // MARK: Channels

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let heads = try? heads(call), heads.q.width > 0 else { return }
    let (q, kv) = (heads.q, heads.kv)
    let groups = relations.virtualAxis(extent: kv.count)
    let dimensions = relations.virtualAxis(extent: q.width)
    relations.pin(dimensions, because: "onnxruntime asks for heads of a multiple of 8 dimensions")
    var queryHeads = groups
    if q.count != kv.count {
      queryHeads = relations.virtualAxis(extent: q.count)
      let members = relations.virtualAxis(extent: q.count / kv.count)
      relations.split(queryHeads, into: [groups, members])
    }
    let query = AxisReference.operand(Operand.query, axis: 2)
    if heads.isPacked {
      let (columns, width) = heads.joined
      let keys = relations.virtualAxis(extent: width)
      relations.section(.result(0, axis: 2), of: query, start: 0)
      relations.section(keys, of: query, start: columns)
      relations.section(keys, of: query, start: columns + width)
      relations.split(keys, into: [groups, dimensions])
    } else {
      relations.split(query, into: [queryHeads, dimensions])
      for operand in [Operand.key, Operand.value] {
        relations.split(.operand(operand, axis: 2), into: [groups, dimensions])
      }
    }
    relations.split(.result(0, axis: 2), into: [queryHeads, dimensions])
    for operand in [Operand.pastKey, Operand.pastValue] where call.operand(operand) != nil {
      relations.equal(.operand(operand, axis: 1), groups)
    }
    for result in call.results.indices.dropFirst() where call.results[result].shape != nil {
      relations.equal(.result(result, axis: 1), groups)
    }
    q.relateBias(call, Operand.addend, heads: queryHeads, &relations)
    if call.operand(Operand.sink) != nil {
      relations.equal(.operand(Operand.sink, axis: 0), queryHeads)
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let heads = try heads(call), let kept = cut[.operand(Operand.query, axis: 2)] else {
      return []
    }
    let columns = heads.joined.q
    let keys =
      heads.isPacked
      ? kept.filter { (columns..<(columns + heads.joined.kv)).contains($0) }.map { $0 - columns }
      : cut[.operand(Operand.key, axis: 2)]
    return [
      ("num_heads", heads.q.count, heads.q.remaining(kept.filter { $0 < columns }).count),
      ("kv_num_heads", heads.kv.count, heads.kv.remaining(keys).count),
    ].compactMap { name, before, after in
      before == after ? nil : .attribute(Attribute(name, after))
    }
  }

  // MARK: Evaluation

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    guard let heads = try heads(resolved) else {
      throw call.unsupported("this form of GroupQueryAttention is not evaluated")
    }
    func operand(_ index: Int) -> Tensor? { index < operands.count ? operands[index] : nil }
    let query = operands[Operand.query]!
    let steps = try GroupQuerySteps(
      call, batch: query.shape[0], queries: query.shape[1], lengths: operand(Operand.lengths)!,
      total: operand(Operand.total)!, room: operand(Operand.pastKey)?.shape[2] ?? 0)
    var parts = [query, operand(Operand.key), operand(Operand.value)].compactMap { $0 }
    if heads.isPacked {
      let (columns, width) = heads.joined
      parts = [0..<columns, columns..<(columns + width), (columns + width)..<(columns + 2 * width)]
        .map { query.keeping(Array($0), alongAxis: 2) }
    }
    guard parts.allSatisfy({ $0.shape[..<2] == query.shape[..<2] }) else {
      throw call.malformed("query, key and value do not go together")
    }
    var separated = zip(parts, [heads.q, heads.kv, heads.kv]).map { $1.separated($0) }
    if call.int("do_rotary") != 0 {
      guard let cosines = operand(Operand.cosine), let sines = operand(Operand.sine),
        cosines.shape == sines.shape
      else { throw call.malformed("the caches of cosines and sines do not go together") }
      let rows = try steps.rows(call, given: operand(Operand.positions))
      guard rows.allSatisfy({ (0..<cosines.shape[0]).contains($0) }) else {
        throw call.malformed("the caches have no row for a position")
      }
      for index in 0..<2 {
        separated[index] = Rotation.turn(
          separated[index], cosines, sines, rows: rows, pairs: cosines.shape[1],
          isInterleaved: call.int("rotary_interleaved") != 0)
      }
    }
    let key = try steps.appended(separated[1], to: operand(Operand.pastKey), call)
    let value = try steps.appended(separated[2], to: operand(Operand.pastValue), call)
    let scores = [query.shape[0], heads.q.count, query.shape[1], key.shape[2]]
    let bias = try steps.bias(call, scores, addend: operand(Operand.addend))
    var product = ScaledDotProduct(
      query: separated[0], key: key, value: value, scale: heads.q.scale(call), bias: bias)
    product.softcap = call.float("softcap")!
    product.sinks =
      operand(Operand.sink)?.floats
      ?? (call.int("smooth_softmax") == 1 ? [Float](repeating: 0, count: heads.q.count) : nil)
    let results = [heads.q.joined(product.evaluate().y), key, value]
    return Array(results.prefix(resolved.results.count))
  }

  func macs(_ call: Invocation) -> Int {
    guard let y = call.results.first?.shape, y.count == 3 else { return 0 }
    let total = call.operand(Operand.total)?.integers?.first?.number ?? y[1].nominalExtent
    // A product with each key for every element of the queries, and one with each value for Y's.
    return y.reduce(2 &* total) { $0 &* $1.nominalExtent }
  }
}
