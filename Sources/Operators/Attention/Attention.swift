import PrunecGraphIR
import PrunecTensors

/// Attention (ONNX opset 23 to 28): of each query, the sum of the values weighted by
/// `softmax(softcap(scale Q K') + bias)`.
///
/// `Q [N, H, S, E]`, `K [N, G, T, E]`, `V [N, G, T, F]`, `Y [N, H, S, F]`, or with heads and their
/// dimensions in one axis, `Q [N, S, H E]` and so on, their numbers given by `q_num_heads` and
/// `kv_num_heads`; G divides H, and neighbouring query heads share one of keys and values.
/// `past_key` and `past_value` go before K and V, `[N, G, P, E]`, and the results `present_key` and
/// `present_value` are both. The bias is `attn_mask`, which broadcasts to `[N, H, S, P + T]` (false
/// takes a key out), with `is_causal` nothing that comes later than the query, with
/// `left_window_size` and `right_window_size` nothing farther away (since opset 25), and nothing
/// beyond `nonpad_kv_seqlen [N]` (since opset 24). The fourth result are the scores
/// `[N, H, S, P + T]` at the stage that `qk_matmul_output_mode` names.
///
/// Channels: dimensions of queries go with those of keys, and are summed over; those of values with
/// those of Y. A head of keys and values goes with its query heads; of these, the same of every
/// group may go. Where scale is not given it depends on E, so a cut of E writes the original's.
/// Numbers of heads follow.
struct Attention: Operator {
  let signature = Signature(
    "Attention", opsets: 23...28, operands: 3...7, results: 1...4,
    attributes: [
      "is_causal": .int(0), "kv_num_heads": nil, "left_window_size": .int(-1),
      "q_num_heads": nil, "qk_matmul_output_mode": .int(0), "right_window_size": .int(-1),
      "scale": nil, "softcap": .float(0), "softmax_precision": nil,
    ])

  private enum Operand {
    static let (query, key, value, mask, pastKey, pastValue, lengths) = (0, 1, 2, 3, 4, 5, 6)
  }

  /// The heads of queries, keys and values; `nil` where too little is known of one.
  private func heads(
    _ call: Invocation
  ) throws(CompileError) -> (q: AttentionHeads, k: AttentionHeads, v: AttentionHeads)? {
    let groups = call.int("kv_num_heads")
    let q = try AttentionHeads(call.shape(Operand.query), count: call.int("q_num_heads"), call)
    let k = try AttentionHeads(call.shape(Operand.key), count: groups, call)
    let v = try AttentionHeads(call.shape(Operand.value), count: groups, call)
    let known = [q, k, v].compactMap { $0 }
    guard Set(known.map(\.isSeparate)).count <= 1 else {
      throw call.malformed("Q, K and V have different numbers of axes")
    }
    guard let q, let k, let v else { return nil }
    guard k.count == v.count, k.count > 0, q.count % k.count == 0 else {
      throw call.malformed("\(q.count), \(k.count) and \(v.count) heads do not go together")
    }
    guard q.width == k.width else {
      throw call.malformed("heads of \(q.width) and \(k.width) dimensions do not go together")
    }
    return (q, k, v)
  }

  // MARK: Facts

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, 2, 4, 5)
    try call.requireSameType(Operand.query, Operand.key, Operand.pastKey)
    try call.requireSameType(Operand.value, Operand.pastValue)
    guard (call.operand(Operand.pastKey) == nil) == (call.operand(Operand.pastValue) == nil) else {
      throw call.malformed("there is only one of past_key and past_value")
    }
    guard call.operand(Operand.lengths) == nil || call.operand(Operand.pastKey) == nil else {
      throw call.malformed("nonpad_kv_seqlen does not go with past_key")
    }
    for name in ["left_window_size", "right_window_size"] where try call.requiredInt(name) < -1 {
      throw call.malformed("\(name) is less than -1")
    }
    guard (0...3).contains(try call.requiredInt("qk_matmul_output_mode")) else {
      throw call.malformed("there is no such qk_matmul_output_mode")
    }
    _ = try call.requiredFloat("softcap")
    if let number = call.int("softmax_precision"),
      Int32(exactly: number).flatMap(ElementType.init)?.isFloatingPoint != true
    {
      throw call.malformed("softmax_precision is no floating point type")
    }
    let types = [call.elementType(Operand.query), call.elementType(Operand.value)]
    let heads = try heads(call)
    let rank = (0...2).lazy.compactMap { call.shape($0)?.count }.first
    guard let rank else {
      return call.forResults([types[0], types[0], types[1], types[0]].map { ValueFacts($0, nil) })
    }
    func extent(_ operand: Int, _ axis: Int) -> Dimension {
      call.shape(operand).map { Dimension($0[axis].extent) } ?? .unknown
    }
    let (head, steps) = rank == 4 ? (1, 2) : (2, 1)
    let batch = try Self.agreed(
      [Operand.query, Operand.key, Operand.value].map { extent($0, 0) }, call)
    let queries = extent(Operand.query, steps)
    let fresh = try Self.agreed([extent(Operand.key, steps), extent(Operand.value, steps)], call)
    var keys = fresh
    for past in [Operand.pastKey, Operand.pastValue] {
      guard let shape = call.shape(past) else { continue }
      guard shape.count == 4 else {
        throw call.malformed("operand \(past) has \(shape.count) axes")
      }
      let own = past == Operand.pastKey ? heads?.k : heads?.v
      for (axis, expected) in [(1, own?.count), (3, own?.width)] {
        guard let expected, let extent = shape[axis].fixedExtent, extent != expected else {
          continue
        }
        throw call.malformed("operand \(past) has extent \(extent) instead of \(expected)")
      }
    }
    if call.operand(Operand.pastKey) != nil {
      let past = try Self.agreed(
        [Operand.pastKey, Operand.pastValue].map { operand in
          call.shape(operand).map { Dimension($0[2].extent) } ?? .unknown
        }, call)
      keys = try .sum([past.extent, fresh.extent], call)
    }
    func known(_ count: Int?) -> Dimension { count.map { .fixed($0) } ?? .unknown }
    let queryHeads = rank == 4 ? extent(Operand.query, 1) : known(call.int("q_num_heads"))
    let keyHeads = rank == 4 ? extent(Operand.key, 1) : known(call.int("kv_num_heads"))
    let valueWidth = rank == 4 ? extent(Operand.value, 3) : known(heads?.v.width)
    let keyWidth = rank == 4 ? extent(Operand.key, 3) : known(heads?.k.width)
    var joined = Dimension.unknown
    if head == 2, let heads {
      let (product, overflow) = heads.q.count.multipliedReportingOverflow(by: heads.v.width)
      guard !overflow else { throw call.malformed("the result has too many channels") }
      joined = .fixed(product)
    }
    let y = rank == 4 ? [batch, queryHeads, queries, valueWidth] : [batch, queries, joined]
    return call.forResults([
      ValueFacts(types[0], y), ValueFacts(types[0], [batch, keyHeads, keys, keyWidth]),
      ValueFacts(types[1], [batch, keyHeads, keys, valueWidth]),
      ValueFacts(types[0], [batch, queryHeads, queries, keys]),
    ])
  }

  /// The extent that all of `dimensions` are; throws where two are different numbers.
  private static func agreed(
    _ dimensions: [Dimension], _ call: Invocation
  ) throws(CompileError) -> Dimension {
    let numbers = Set(dimensions.compactMap(\.fixedExtent))
    guard numbers.count <= 1 else {
      throw call.malformed("extents \(numbers.sorted()) do not go together")
    }
    if let number = numbers.first { return .fixed(number) }
    return dimensions.first { $0 != .unknown } ?? .unknown
  }

  // MARK: Channels

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let (q, k, v) = try? heads(call), q.width > 0, v.width > 0 else {
      return
    }
    // Heads and dimensions: axes of the operands, or of none.
    let groups =
      k.isSeparate
      ? AxisReference.operand(Operand.key, axis: 1) : relations.virtualAxis(extent: k.count)
    let dimensions =
      k.isSeparate
      ? AxisReference.operand(Operand.key, axis: 3) : relations.virtualAxis(extent: k.width)
    let valueDimensions =
      v.isSeparate
      ? AxisReference.operand(Operand.value, axis: 3) : relations.virtualAxis(extent: v.width)
    var queryHeads = groups
    if q.count != k.count {
      queryHeads =
        q.isSeparate
        ? .operand(Operand.query, axis: 1) : relations.virtualAxis(extent: q.count)
      let members = relations.virtualAxis(extent: q.count / k.count)
      relations.split(queryHeads, into: [groups, members])
    }
    q.relate(
      { .operand(Operand.query, axis: $0) }, heads: queryHeads, dimensions: dimensions, &relations)
    k.relate({ .operand(Operand.key, axis: $0) }, heads: groups, dimensions: dimensions, &relations)
    v.relate(
      { .operand(Operand.value, axis: $0) }, heads: groups, dimensions: valueDimensions, &relations)
    let channels = q.isSeparate ? 3 : 2
    relations.sum(over: .operand(Operand.query, axis: channels))
    relations.sum(over: .operand(Operand.key, axis: channels))
    if call.operand(Operand.pastKey) != nil {
      relations.equal(.operand(Operand.pastKey, axis: 1), groups)
      relations.equal(.operand(Operand.pastKey, axis: 3), dimensions)
      relations.sum(over: .operand(Operand.pastKey, axis: 3))
      relations.equal(.operand(Operand.pastValue, axis: 1), groups)
      relations.equal(.operand(Operand.pastValue, axis: 3), valueDimensions)
    }
    q.relateBias(call, Operand.mask, heads: queryHeads, &relations)

    let results = call.results.map { $0.shape != nil }
    if results[0] {
      q.relate(
        { .result(0, axis: $0) }, heads: queryHeads, dimensions: valueDimensions, &relations)
    }
    for (index, width) in [(1, dimensions), (2, valueDimensions)] {
      guard index < results.count, results[index] else { continue }
      relations.equal(.result(index, axis: 1), groups)
      relations.equal(.result(index, axis: 3), width)
    }
    if results.count > 3, results[3] { relations.equal(.result(3, axis: 1), queryHeads) }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let (q, k, _) = try heads(call) else { return [] }
    var adaptations: [Adaptation] = []
    let query = AxisReference.operand(Operand.query, axis: q.isSeparate ? 3 : 2)
    let key = AxisReference.operand(Operand.key, axis: q.isSeparate ? 3 : 2)
    let isCut =
      q.isSeparate ? cut[query] != nil : q.remaining(cut[query]).width != q.width
    if isCut, !call.has("scale") {
      adaptations.append(.attribute(Attribute("scale", .float(q.scale(call)))))
    }
    guard !q.isSeparate else { return adaptations }
    for (name, before, after) in [
      ("q_num_heads", q.count, q.remaining(cut[query]).count),
      ("kv_num_heads", k.count, k.remaining(cut[key]).count),
    ] where before != after {
      adaptations.append(.attribute(Attribute(name, after)))
    }
    return adaptations
  }

  // MARK: Evaluation

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    guard let (q, k, v) = try heads(resolved) else { throw call.unsupported("heads are not known") }
    func operand(_ index: Int) -> Tensor? { index < operands.count ? operands[index] : nil }
    var key = k.separated(operands[Operand.key]!)
    var value = v.separated(operands[Operand.value]!)
    if let past = operand(Operand.pastKey) { key = .concatenated([past, key], alongAxis: 2) }
    if let past = operand(Operand.pastValue) { value = .concatenated([past, value], alongAxis: 2) }
    let query = q.separated(operands[Operand.query]!)
    let bias = try AttentionBias(
      call, [query.shape[0], query.shape[1], query.shape[2], key.shape[2]],
      mask: operand(Operand.mask), past: operand(Operand.pastKey)?.shape[2],
      lengths: operand(Operand.lengths)?.integers)
    var product = ScaledDotProduct(
      query: query, key: key, value: value, scale: q.scale(call),
      bias: bias.row)
    product.softcap = call.float("softcap")!
    if let number = call.int("softmax_precision") {
      product.precision = Int32(exactly: number).flatMap(ElementType.init) ?? .float32
    }
    let stage = ScaledDotProduct.Stage(rawValue: call.int("qk_matmul_output_mode")!)
    let (y, scores) = product.evaluate(keeping: resolved.results.count > 3 ? stage : nil)
    let results = [q.joined(y), key, value] + (scores.map { [$0] } ?? [])
    return Array(results.prefix(resolved.results.count))
  }

  func macs(_ call: Invocation) -> Int {
    guard let q = call.shape(Operand.query), let k = call.shape(Operand.key),
      let y = call.results.first?.shape, q.count == k.count, q.count == 3 || q.count == 4
    else { return 0 }
    let steps = q.count == 4 ? 2 : 1
    let past = call.shape(Operand.pastKey).map { $0.count == 4 ? $0[2].nominalExtent : 0 } ?? 0
    let keys = k[steps].nominalExtent &+ past
    // A product with each key for every element of Q, and one with each value for every element of
    // Y.
    return (Self.count(q) &+ Self.count(y)) &* keys
  }

  private static func count(_ shape: [Dimension]) -> Int {
    shape.reduce(1) { $0 &* $1.nominalExtent }
  }
}
