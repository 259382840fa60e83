import PrunecGraphIR
import PrunecTensors

/// What random graphs do with any value now and then: operators at the edge of what can be pruned.
extension RandomGraph {
  /// A value made from `x` by something unusual; `nil` where it does not fit.
  mutating func rarity(_ x: Feature) -> Feature? {
    let rank = x.extents.count + 1
    switch below(23) {
    case 0: return padded(x)
    case 1: return concatenatedWithConstant(x)
    case 2: return turned(x)
    case 3: return tiled(x)
    case 4: return repeatedGather(x)
    case 5: return tiedWeights(x)
    case 6: return scaled(x, by: "Mul")
    case 7: return scaled(x, by: "Add")
    case 8: return chosen(x)
    case 9:
      let value = add(pick(["LpNormalization", "Softmax"]), [x.value], [Attribute("axis", 1)])
      return Feature(value: value, extents: x.extents)
    case 10: return factored(x)
    case 11: return reversed(x)
    case 12: return repeatedHeads(x)
    case 13:
      let axes = integers([1])
      let total = add(
        pick(["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"]), [x.value, axes])
      return Feature(value: add("Sub", [x.value, total]), extents: x.extents)
    case 14: return quantized(x)
    case 15:
      let value = add("CumSum", [x.value, integer(rank - 1)])
      return Feature(value: value, extents: x.extents)
    case 16: return shiftedByFilling(x)
    case 17: return reread(x)
    case 18: return interleaved(x)
    case 19: return mergedWithBatch(x)
    case 20: return normalizedInPieces(x)
    default: return blocks(x)
    }
  }

  /// Zeros before and after, on any axis but the batch.
  private mutating func padded(_ x: Feature) -> Feature {
    let rank = x.extents.count + 1
    let axis = 1 + below(rank - 1)
    var pads = [Int](repeating: 0, count: 2 * rank)
    (pads[axis], pads[rank + axis]) = (below(2), 1)
    var extents = x.extents
    extents[axis - 1] += pads[axis] + 1
    return Feature(value: add("Pad", [x.value, integers(pads)]), extents: extents)
  }

  /// To integers and back, with one scale or one for each channel.
  private mutating func quantized(_ x: Feature) -> Feature {
    let shape = chance(50) ? [x.extents[0]] : []
    let scale = initializer(
      Tensor([Float](repeating: 0.05, count: shape.elementCount), shape: shape))
    let zeros = [UInt8](repeating: UInt8(pick([0, 3, 128])), count: shape.elementCount)
    let zeroPoint = initializer(Tensor(.uint8, shape: shape, elements: zeros))
    let quantized = add("QuantizeLinear", [x.value, scale, zeroPoint])
    return Feature(
      value: add("DequantizeLinear", [quantized, scale, zeroPoint]), extents: x.extents)
  }

  /// Constant channels beside the computed ones.
  private mutating func concatenatedWithConstant(_ x: Feature) -> Feature {
    let ones = [Int](repeating: 1, count: x.extents.count)
    let zero = add("Mul", [x.value, initializer(Tensor([Float(0)], shape: ones + [1]))])
    let shifted = add("Add", [zero, constant([x.extents.last!])])
    let other = Feature(value: shifted, extents: x.extents)
    return concatenated(x, other, axis: x.extents.count)
  }

  /// A tensor made of the extents of another.
  private mutating func shiftedByFilling(_ x: Feature) -> Feature {
    let shape = add("Shape", [x.value])
    let one = NamedTensor(Tensor([Float(1)], shape: [1]))
    let filled =
      chance(50)
      ? add("ConstantOfShape", [shape], [Attribute("value", .tensor(one))])
      : add("Expand", [constant([1]), shape])
    return Feature(value: add("Add", [x.value, filled]), extents: x.extents)
  }

  /// Flattened, and put back into the extents that were read before.
  private mutating func reread(_ x: Feature) -> Feature {
    let shape = add("Shape", [x.value])
    let flat = add("Tanh", [reshaped(x.value, [x.extents.reduce(1, *)])])
    return Feature(value: add("Reshape", [flat, shape]), extents: x.extents)
  }

  /// The last axis first and back again, with a layer in between.
  private mutating func turned(_ x: Feature) -> Feature? {
    let rank = x.extents.count + 1
    guard rank == 4 else { return nil }
    let last = transposed(x.value, [0, 2, 3, 1])
    let layer = projection(
      Feature(value: last, extents: [x.extents[1], x.extents[2], x.extents[0]]), to: 5)
    return Feature(
      value: transposed(layer.value, [0, 3, 1, 2]), extents: [5, x.extents[1], x.extents[2]])
  }

  private mutating func tiled(_ x: Feature) -> Feature {
    let repeats = [1, 2] + [Int](repeating: 1, count: x.extents.count - 1)
    let value = add("Tile", [x.value, integers(repeats)])
    return Feature(value: value, extents: [2 * x.extents[0]] + x.extents.dropFirst())
  }

  /// Channels in a random order, some of them twice.
  private mutating func repeatedGather(_ x: Feature) -> Feature {
    let indices = (0..<4).map { _ in below(x.extents[0]) }
    let value = add("Gather", [x.value, integers(indices)], [Attribute("axis", 1)])
    return Feature(value: value, extents: [4] + x.extents.dropFirst())
  }

  /// An autoencoder whose decoder's weight is the encoder's, turned.
  private mutating func tiedWeights(_ x: Feature) -> Feature {
    let weight = constant([x.extents.last!, 6])
    let code = add("Tanh", [add("MatMul", [x.value, weight])])
    let value = add("MatMul", [code, transposed(weight, [1, 0])])
    return Feature(value: value, extents: x.extents)
  }

  /// A constant used at two places of different meaning: as a scale and as a shift.
  private mutating func scaled(_ x: Feature, by operation: String) -> Feature {
    let shared = constant([x.extents.last!])
    let value = add(operation, [add("Mul", [x.value, shared]), shared])
    return Feature(value: value, extents: x.extents)
  }

  private mutating func chosen(_ x: Feature) -> Feature {
    let condition = add("Greater", [x.value, constant([x.extents.last!])])
    let value = add("Where", [condition, x.value, constant([x.extents.last!])])
    return Feature(value: value, extents: x.extents)
  }

  /// The channels as a product of two factors, turned, or regrouped in another way.
  private mutating func factored(_ x: Feature) -> Feature? {
    let (channels, rest) = (x.extents[0], Array(x.extents[1...]))
    guard let a = properDivisor(of: channels), let b = properDivisor(of: channels) else {
      return nil
    }
    let apart = reshaped(x.value, [a, channels / a] + rest)
    let scaled = add("Mul", [apart, constant([a, channels / a] + rest.map { _ in 1 })])
    let again = reshaped(scaled, [b, channels / b] + rest)
    let order = chance(50) ? [0, 1, 2] : [0, 2, 1]
    let turned = transposed(again, order + rest.indices.map { $0 + 3 })
    return Feature(value: reshaped(turned, x.extents), extents: x.extents)
  }

  /// The channels backwards, by a negative step.
  private mutating func reversed(_ x: Feature) -> Feature {
    let inputs = [
      x.value, integers([-1]), integers([Int.min]), integers([1]), integers([-1]),
    ]
    return Feature(value: add("Slice", inputs), extents: x.extents)
  }

  /// Every group of channels several times, as in attention with fewer keys than queries.
  private mutating func repeatedHeads(_ x: Feature) -> Feature? {
    guard let group = properDivisor(of: x.extents[0]) else { return nil }
    let (size, rest) = (x.extents[0] / group, Array(x.extents[1...]))
    let apart = reshaped(x.value, [group, 1, size] + rest)
    let ones = [Int](repeating: 1, count: rest.count)
    let wide = add("Expand", [apart, integers([1, group, 2, size] + ones)])
    let extents = [2 * x.extents[0]] + rest
    return Feature(value: reshaped(wide, extents), extents: extents)
  }

  /// The even channels and the odd ones, apart and then in turn, as an interleaved rotary embedding does.
  private mutating func interleaved(_ x: Feature) -> Feature? {
    let (channels, rest) = (x.extents[0], Array(x.extents[1...]))
    guard channels % 2 == 0 else { return nil }
    let halves = [0, 1].map { first in
      add("Slice", [x.value, integers([first]), integers([.max]), integers([1]), integers([2])])
    }
    let axis = integers([2])
    let turned = [add("Neg", [halves[1]]), halves[0]].map { add("Unsqueeze", [$0, axis]) }
    let pairs = add("Concat", turned, [Attribute("axis", 2)])
    return Feature(value: reshaped(pairs, [channels] + rest), extents: x.extents)
  }

  /// Groups of channels as a part of the batch, and back.
  private mutating func mergedWithBatch(_ x: Feature) -> Feature? {
    guard let group = properDivisor(of: x.extents[0]) else { return nil }
    let (size, rest) = (x.extents[0] / group, Array(x.extents[1...]))
    let merged = add("Reshape", [x.value, integers([-1, size] + rest)])
    let active = add("Tanh", [merged])
    return Feature(
      value: add("Reshape", [active, integers([-1, x.extents[0]] + rest)]), extents: x.extents)
  }

  /// A normalization over the last axis as exporters write it for old operator sets.
  private mutating func normalizedInPieces(_ x: Feature) -> Feature {
    let axes = integers([-1])
    let mean = add("ReduceMean", [x.value, axes])
    let difference = chance(50) ? add("Sub", [x.value, mean]) : x.value
    let variance = add("ReduceMean", [add("Mul", [difference, difference]), axes])
    let epsilon = initializer(Tensor([Float(0.1)], shape: [1]))
    let deviation = add("Sqrt", [add("Add", [variance, epsilon])])
    let scale = constant([x.extents.last!])
    let value = add("Mul", [add("Div", [difference, deviation]), scale])
    return Feature(value: value, extents: x.extents)
  }

  /// Channels to pixels and the other way round.
  private mutating func blocks(_ x: Feature) -> Feature? {
    guard x.extents.count == 3 else { return nil }
    let (channels, height, width) = (x.extents[0], x.extents[1], x.extents[2])
    let isEven = height % 2 == 0 && width % 2 == 0
    if channels % 4 == 0, height * width <= 16, !isEven || chance(50) {
      let attributes = [Attribute("blocksize", 2), Attribute("mode", pick(["DCR", "CRD"]))]
      let value = add("DepthToSpace", [x.value], attributes)
      return Feature(value: value, extents: [channels / 4, 2 * height, 2 * width])
    }
    guard isEven else { return nil }
    let value = add("SpaceToDepth", [x.value], [Attribute("blocksize", 2)])
    return Feature(value: value, extents: [4 * channels, height / 2, width / 2])
  }
}
