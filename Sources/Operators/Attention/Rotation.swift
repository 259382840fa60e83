import PrunecGraphIR
import PrunecTensors

/// The turning of pairs of dimensions, which ONNX's RotaryEmbedding and onnxruntime's differ in the
/// order of operands for.
struct Rotation {
  /// The places of the operands.
  let x: Int
  let cosine: Int
  let sine: Int
  let positions: Int

  private func heads(_ call: Invocation) throws(CompileError) -> AttentionHeads? {
    var count = call.int("num_heads")
    if count == 0, let shape = call.shape(x), shape.count == 3 {
      // Onnxruntime's: as many heads as are as wide as the caches say.
      guard let whole = shape[2].fixedExtent, let pairs = call.shape(cosine)?.last?.fixedExtent
      else {
        return nil
      }
      let (width, overflow) = pairs.multipliedReportingOverflow(by: 2)
      guard !overflow, width > 0, call.int("rotary_embedding_dim") == 0 else {
        throw call.malformed("the number of heads is not given")
      }
      count = whole / width
    }
    return try AttentionHeads(call.shape(x), count: count, call)
  }

  /// Number of dimensions that are turned.
  private func turned(_ call: Invocation, _ heads: AttentionHeads) throws(CompileError) -> Int {
    let given = try call.requiredInt("rotary_embedding_dim")
    let turned = given == 0 ? heads.width : given
    guard turned >= 0, turned % 2 == 0, turned <= heads.width else {
      throw call.malformed("\(turned) of \(heads.width) dimensions cannot be turned")
    }
    return turned
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(x, cosine, sine)
    try call.requireSameType(x, cosine, sine)
    if let heads = try heads(call) {
      let pairs = try turned(call, heads) / 2
      for cache in [cosine, sine] {
        guard let shape = call.shape(cache) else { continue }
        guard shape.count == (call.operand(positions) == nil ? 3 : 2) else {
          throw call.malformed("operand \(cache) has \(shape.count) axes")
        }
        guard shape.last!.fixedExtent ?? pairs == pairs else {
          throw call.malformed("operand \(cache) is not for \(pairs) pairs")
        }
      }
    }
    return [ValueFacts(call.elementType(x), call.shape(x))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let heads = try? heads(call), let turned = try? turned(call, heads),
      turned > 0, let cacheRank = call.shape(cosine)?.count,
      call.shape(sine)?.count == cacheRank
    else { return }
    let dimensions: AxisReference
    if heads.isSeparate {
      dimensions = .operand(x, axis: 3)
      relations.equal(.operand(x, axis: 1), .result(axis: 1))
      relations.equal(dimensions, .result(axis: 3))
    } else {
      dimensions = relations.virtualAxis(extent: heads.width)
      let own = relations.virtualAxis(extent: heads.count)
      relations.split(.operand(x, axis: 2), into: [own, dimensions])
      relations.equal(.operand(x, axis: 2), .result(axis: 2))
    }
    let pairs = AxisReference.operand(cosine, axis: cacheRank - 1)
    relations.equal(pairs, .operand(sine, axis: cacheRank - 1))
    if call.int("interleaved") != 0 {
      for start in 0..<2 { relations.section(pairs, of: dimensions, start: start, step: 2) }
    } else {
      for half in 0..<2 { relations.section(pairs, of: dimensions, start: half * turned / 2) }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let heads = try heads(call), let rank = call.shape(cosine)?.count else { return [] }
    var adaptations: [Adaptation] = []
    if call.int("rotary_embedding_dim") != 0, let pairs = cut[.operand(cosine, axis: rank - 1)] {
      adaptations.append(.attribute(Attribute("rotary_embedding_dim", 2 * pairs.count)))
    }
    if !heads.isSeparate, call.int("num_heads") != 0 {
      let count = heads.remaining(cut[.operand(x, axis: 2)]).count
      if count != heads.count { adaptations.append(.attribute(Attribute("num_heads", count))) }
    }
    return adaptations
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> Tensor {
    guard let heads = try heads(call) else { throw call.unsupported("heads are not known") }
    let data = heads.separated(operands[x]!)
    let (batch, steps) = (data.shape[0], data.shape[2])
    let pairs = try turned(call, heads) / 2
    let (cosines, sines) = (operands[cosine]!, operands[sine]!)
    let rows = try rows(call, operands, batch: batch, steps: steps)
    guard cosines.shape == sines.shape,
      (rows.max() ?? 0) < max(1, cosines.shape.dropLast().reduce(1, *))
    else { throw call.malformed("the caches have no row for a position") }
    let turned = Self.turn(
      data, cosines, sines, rows: rows, pairs: pairs, isInterleaved: call.int("interleaved") != 0)
    return heads.joined(turned)
  }

  /// `data [N, H, S, E]` with its first pairs turned by the angles of a row of the caches, given
  /// for each batch item and step.
  static func turn(
    _ data: Tensor, _ cosines: Tensor, _ sines: Tensor, rows: [Int], pairs: Int,
    isInterleaved: Bool
  ) -> Tensor {
    let (count, steps, width) = (data.shape[1], data.shape[2], data.shape[3])
    let (c, s, source) = (cosines.floats, sines.floats, data.floats)
    var y = source
    for row in 0..<(data.shape[0] * count * steps) {
      let (item, step) = (row / (count * steps), row % steps)
      let angle = rows[item * steps + step] * pairs
      for pair in 0..<pairs {
        let (first, second) = isInterleaved ? (2 * pair, 2 * pair + 1) : (pair, pair + pairs)
        let (a, b) = (source[row * width + first], source[row * width + second])
        y[row * width + first] = a * c[angle + pair] - b * s[angle + pair]
        y[row * width + second] = a * s[angle + pair] + b * c[angle + pair]
      }
    }
    return Tensor(rounding: y, to: data.elementType, shape: data.shape)
  }

  /// For each batch item and step, the row of the caches.
  private func rows(
    _ call: Invocation, _ operands: [Tensor?], batch: Int, steps: Int
  ) throws(CompileError) -> [Int] {
    guard positions < operands.count, let given = operands[positions] else {
      return Array(0..<(batch * steps))
    }
    let elements = given.integers
    guard elements.allSatisfy({ $0 >= 0 }) else { throw call.malformed("a position is negative") }
    // A single number is the position of the first step of all.
    if elements.count == 1, batch * steps != 1 {
      return (0..<(batch * steps)).map { elements[0] &+ $0 % steps }
    }
    guard elements.count == batch * steps else {
      throw call.malformed("there are \(elements.count) positions for \(batch * steps) steps")
    }
    return elements
  }
}
