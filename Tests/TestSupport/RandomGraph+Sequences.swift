import PrunecGraphIR
import PrunecTensors

/// What random graphs do with sequences (positions and channels) and vectors (channels).
extension RandomGraph {
  mutating func growSequence(_ x: Feature) {
    switch below(13) {
    case 0, 1: push(chance(70) ? attention(x) : summedAttention(x))
    case 2: push(projection(x, to: pick([4, 6, 8])))
    case 3: push(activation(x))
    case 4: push(layerNormalized(x))
    case 5: push(added(x) ?? feedForward(x))
    case 6: push(feedForward(x))
    case 7: push(concatenated(x, projection(x, to: 3), axis: 2))
    case 8: for part in halves(x, axis: 2) ?? [activation(x)] { push(part) }
    case 9: push(tokenMean(x))
    case 10: push(gatedHalves(x))
    case 11: push(chance(50) ? recurrent(x) : experts(x))
    default: push(chance(50) ? flattened(x) : token(x))
    }
  }

  mutating func growVector(_ x: Feature) {
    switch below(11) {
    case 0, 1: push(dense(x, to: pick([3, 4, 6, 8])))
    case 2: push(activation(x))
    case 3: push(added(x) ?? dense(x, to: x.extents[0]))
    case 4: push(concatenated(x, dense(x, to: 3), axis: 1))
    case 5: for part in halves(x, axis: 1) ?? [activation(x)] { push(part) }
    case 6: push(sliced(x, axis: 1) ?? activation(x))
    case 7: push(layerNormalized(x))
    case 8: push(image(x))
    case 9: push(Feature(value: add("Softmax", [x.value]), extents: x.extents))
    default: push(gathered(x))
    }
  }

  /// A fully connected layer: Gemm in either orientation, or a product and a sum.
  mutating func dense(_ x: Feature, to channels: Int) -> Feature {
    guard chance(60) else { return projection(x, to: channels) }
    let isTransposed = chance(50)
    let weight = constant(
      isTransposed ? [channels, x.extents[0]] : [x.extents[0], channels])
    var inputs = [x.value, weight]
    if chance(70) { inputs.append(constant([channels])) }
    var attributes = isTransposed ? [Attribute("transB", 1)] : []
    if chance(20) { attributes.append(Attribute("alpha", .float(0.5))) }
    return Feature(value: add("Gemm", inputs, attributes), extents: [channels])
  }

  /// A matrix product along the last axis, mostly with a bias.
  mutating func projection(_ x: Feature, to channels: Int) -> Feature {
    let weight = constant([x.extents.last!, channels])
    var value = add("MatMul", [x.value, weight])
    if chance(70) { value = add("Add", [value, constant([channels])]) }
    return Feature(value: value, extents: x.extents.dropLast() + [channels])
  }

  private mutating func added(_ x: Feature) -> Feature? {
    guard let other = alike(x) else { return nil }
    return Feature(value: add("Add", [x.value, other.value]), extents: x.extents)
  }

  private mutating func layerNormalized(_ x: Feature) -> Feature {
    let shape = [x.extents.last!]
    let inputs = [x.value, positiveConstant(shape), constant(shape)]
    let value = add("LayerNormalization", inputs, [Attribute("axis", -1)])
    return Feature(value: value, extents: x.extents)
  }

  /// A transformer's second half: wider, back again, and added to what came in.
  private mutating func feedForward(_ x: Feature) -> Feature {
    let hidden = activation(projection(x, to: 8))
    let branch = projection(hidden, to: x.extents[1])
    return Feature(value: add("Add", [x.value, branch.value]), extents: x.extents)
  }

  /// A gated linear unit: one half of a projection times the other.
  private mutating func gatedHalves(_ x: Feature) -> Feature {
    let wide = projection(x, to: 8)
    let sizes = integers([4, 4])
    let parts = add("Split", [wide.value, sizes], [Attribute("axis", 2)], results: 2)
    let value = add("Mul", [parts[0], add("Sigmoid", [parts[1]])])
    return Feature(value: value, extents: [x.extents[0], 4])
  }

  mutating func tokenMean(_ x: Feature) -> Feature {
    let value = add("ReduceMean", [x.value, integers([1])], [Attribute("keepdims", 0)])
    return Feature(value: value, extents: [x.extents[1]])
  }

  /// The first position of a sequence.
  private mutating func token(_ x: Feature) -> Feature {
    let index = integer(0)
    let value = add("Gather", [x.value, index], [Attribute("axis", 1)])
    return Feature(value: value, extents: [x.extents[1]])
  }

  /// Some of the channels in another order.
  private mutating func gathered(_ x: Feature) -> Feature {
    let count = x.extents[0]
    let indices = (0..<count).reversed().filter { $0 % 3 != 1 }
    let value = add("Gather", [x.value, integers(indices)], [Attribute("axis", 1)])
    return Feature(value: value, extents: [indices.count])
  }

  /// A vector taken apart into channels of two by two.
  private mutating func image(_ x: Feature) -> Feature {
    let wide = x.extents[0] % 4 == 0 && x.extents[0] > 4 ? x : dense(x, to: 8)
    let extents = [wide.extents[0] / 4, 2, 2]
    return Feature(value: reshaped(wide.value, extents), extents: extents)
  }

  /// A recurrent layer over the positions, laid out as exporters do, or with the batch first.
  private mutating func recurrent(_ x: Feature) -> Feature {
    let (operation, gates) = pick([("LSTM", 4), ("GRU", 3), ("RNN", 1)])
    let direction = pick(["forward", "reverse", "bidirectional"])
    let (directions, hidden) = (direction == "bidirectional" ? 2 : 1, pick([2, 3]))
    let isBatchFirst = chance(20)
    let steps = isBatchFirst ? x.value : transposed(x.value, [1, 0, 2])
    var inputs = [
      steps, constant([directions, gates * hidden, x.extents[1]]),
      constant([directions, gates * hidden, hidden]),
    ]
    if chance(70) { inputs.append(constant([directions, 2 * gates * hidden])) }
    let attributes = [
      Attribute("direction", direction), Attribute("hidden_size", hidden),
      Attribute("layout", isBatchFirst ? 1 : 0),
    ]
    let states = add(operation, inputs, attributes)
    let turned = isBatchFirst ? states : transposed(states, [2, 0, 1, 3])
    let extents = [x.extents[0], directions * hidden]
    return Feature(value: reshaped(turned, extents), extents: extents)
  }

  // MARK: Equations

  private mutating func einsum(_ equation: String, _ operands: [ValueID]) -> ValueID {
    add("Einsum", operands, [Attribute("equation", equation)])
  }

  /// Attention whose weights have axes for heads and dimensions.
  private mutating func summedAttention(_ x: Feature) -> Feature {
    let (channels, heads, width) = (x.extents[1], pick([2, 3]), pick([2, 3]))
    let parts = (0..<3).map { _ in
      einsum("btd,dhk->bthk", [x.value, constant([channels, heads, width])])
    }
    let scores = einsum("bqhk,bthk->bhqt", [parts[0], parts[1]])
    let weights = add("Softmax", [scores], [Attribute("axis", -1)])
    let mixed = einsum("...hqt,...thk->...qhk", [weights, parts[2]])
    let result = einsum("bqhk,hkd->bqd", [mixed, constant([heads, width, channels])])
    return Feature(value: add("Add", [x.value, result]), extents: x.extents)
  }

  /// Several layers side by side, and their sum.
  private mutating func experts(_ x: Feature) -> Feature {
    let (count, channels) = (pick([2, 3]), pick([4, 6]))
    let hidden = einsum("btd,edf->betf", [x.value, constant([count, x.extents[1], channels])])
    let active = add("Relu", [hidden])
    let value = einsum("betf,efg->btg", [active, constant([count, channels, 5])])
    return Feature(value: value, extents: [x.extents[0], 5])
  }

  // MARK: Attention

  private mutating func attention(_ x: Feature) -> Feature {
    let (positions, heads, width) = (x.extents[0], pick([1, 2, 3]), pick([2, 3]))
    let (query, key, value) =
      chance(50)
      ? fusedOperands(x, heads: heads, width: width)
      : operands(x, heads: heads, width: width)
    let scores = add("MatMul", [query, transposed(key, [0, 1, 3, 2])])
    let scale = initializer(Tensor([0.5], shape: []))
    let weights = add("Softmax", [add("Mul", [scores, scale])], [Attribute("axis", -1)])
    let mixed = transposed(add("MatMul", [weights, value]), [0, 2, 1, 3])
    let merged = Feature(
      value: reshaped(mixed, [positions, heads * width]), extents: [positions, heads * width])
    let result = projection(merged, to: x.extents[1])
    return Feature(value: add("Add", [x.value, result.value]), extents: x.extents)
  }

  /// Query, key and value as [N, heads, positions, width], from three projections.
  private mutating func operands(
    _ x: Feature, heads: Int, width: Int
  ) -> (ValueID, ValueID, ValueID) {
    let parts = (0..<3).map { _ in
      let flat = projection(x, to: heads * width)
      let apart = reshaped(flat.value, [x.extents[0], heads, width])
      return transposed(apart, [0, 2, 1, 3])
    }
    return (parts[0], parts[1], parts[2])
  }

  /// The same from one projection.
  private mutating func fusedOperands(
    _ x: Feature, heads: Int, width: Int
  ) -> (ValueID, ValueID, ValueID) {
    let flat = projection(x, to: 3 * heads * width)
    let apart = reshaped(flat.value, [x.extents[0], 3, heads, width])
    let stacked = transposed(apart, [2, 0, 3, 1, 4])
    let parts: [ValueID]
    if chance(50) {
      parts = (0..<3).map { part in
        let index = integer(part)
        return add("Gather", [stacked, index], [Attribute("axis", 0)])
      }
    } else {
      let sizes = integers([1, 1, 1])
      parts = add("Split", [stacked, sizes], [Attribute("axis", 0)], results: 3).map { part in
        let axes = integers([0])
        return add("Squeeze", [part, axes])
      }
    }
    return (parts[0], parts[1], parts[2])
  }
}
