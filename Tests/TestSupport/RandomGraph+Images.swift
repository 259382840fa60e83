import PrunecGraphIR
import PrunecTensors

/// What random graphs do with images: values of channels, height and width.
extension RandomGraph {
  mutating func growImage(_ x: Feature) {
    switch below(21) {
    case 0, 1: push(convolution(x, channels: pick([2, 3, 4, 6, 8])))
    case 2: push(groupedConvolution(x))
    case 3: push(depthwiseConvolution(x))
    case 4: push(activation(x))
    case 5: push(batchNormalized(x))
    case 6: push(pooled(x))
    case 7: push(added(x))
    case 8: push(residual(x))
    case 9: push(concatenated(x, alikeInSize(x), axis: 1))
    case 10: for part in halves(x, axis: 1) ?? [activation(x)] { push(part) }
    case 11: push(sliced(x, axis: 1) ?? activation(x))
    case 12: push(shuffled(x))
    case 13: push(gated(x))
    case 14: push(flattened(x))
    case 15: push(sequence(x))
    case 16: push(sharedConvolutions(x))
    case 17: push(normalizedByGroups(x))
    case 18: push(transposedConvolution(x))
    case 19: push(resized(x))
    default: push(scaledByChannel(x))
    }
  }

  mutating func convolution(_ x: Feature, channels: Int) -> Feature {
    let kernel = pick([1, 1, 3])
    let stride = chance(20) ? 2 : 1
    let weight = constant([channels, x.extents[0], kernel, kernel])
    return convolution(x, weight: weight, channels: channels, kernel: kernel, stride: stride)
  }

  mutating func convolution(
    _ x: Feature, weight: ValueID, channels: Int, kernel: Int, stride: Int = 1, group: Int = 1
  ) -> Feature {
    let bias = chance(60) ? constant([channels]) : nil
    let pad = kernel / 2
    var attributes = [Attribute("pads", [pad, pad, pad, pad])]
    if stride != 1 { attributes.append(Attribute("strides", [stride, stride])) }
    if group != 1 { attributes.append(Attribute("group", group)) }
    let inputs = [x.value, weight] + (bias.map { [$0] } ?? [])
    let size = (x.extents[1] - 1) / stride + 1
    let width = (x.extents[2] - 1) / stride + 1
    return Feature(value: add("Conv", inputs, attributes), extents: [channels, size, width])
  }

  private mutating func groupedConvolution(_ x: Feature) -> Feature {
    guard let group = properDivisor(of: x.extents[0]) else { return depthwiseConvolution(x) }
    let channels = group * pick([1, 2, 3])
    let weight = constant([channels, x.extents[0] / group, 1, 1])
    return convolution(x, weight: weight, channels: channels, kernel: 1, group: group)
  }

  private mutating func depthwiseConvolution(_ x: Feature) -> Feature {
    let group = x.extents[0]
    let channels = group * pick([1, 1, 2])
    let kernel = pick([1, 3])
    let weight = constant([channels, 1, kernel, kernel])
    return convolution(x, weight: weight, channels: channels, kernel: kernel, group: group)
  }

  private mutating func transposedConvolution(_ x: Feature) -> Feature {
    let channels = pick([2, 4])
    let weight = constant([x.extents[0], channels, 2, 2])
    let value = add("ConvTranspose", [x.value, weight, constant([channels])])
    return Feature(value: value, extents: [channels, x.extents[1] + 1, x.extents[2] + 1])
  }

  private mutating func batchNormalized(_ x: Feature) -> Feature {
    let shape = [x.extents[0]]
    let inputs = [
      x.value, constant(shape), constant(shape), constant(shape), positiveConstant(shape),
    ]
    return Feature(value: add("BatchNormalization", inputs), extents: x.extents)
  }

  private mutating func normalizedByGroups(_ x: Feature) -> Feature {
    let shape = [x.extents[0]]
    let scales = [constant(shape), constant(shape)]
    guard let group = properDivisor(of: x.extents[0]), chance(50) else {
      return Feature(
        value: add("InstanceNormalization", [x.value] + scales), extents: x.extents)
    }
    let value = add(
      "GroupNormalization", [x.value] + scales, [Attribute("num_groups", group)])
    return Feature(value: value, extents: x.extents)
  }

  private mutating func pooled(_ x: Feature) -> Feature {
    guard x.extents[1] > 1, x.extents[2] > 1 else { return activation(x) }
    let attributes = [Attribute("kernel_shape", [2, 2]), Attribute("strides", [2, 2])]
    let value = add(pick(["MaxPool", "AveragePool"]), [x.value], attributes)
    return Feature(value: value, extents: [x.extents[0], x.extents[1] / 2, x.extents[2] / 2])
  }

  /// Twice as high and wide, in one of the ways that exporters write.
  private mutating func resized(_ x: Feature) -> Feature {
    guard x.extents[1] * x.extents[2] <= 16 else { return pooled(x) }
    let size = [2 * x.extents[1], 2 * x.extents[2]]
    let mode = pick(["nearest", "linear", "cubic"])
    var attributes = [Attribute("mode", mode)]
    var inputs: [ValueID?] = [x.value, nil]
    switch below(3) {
    case 0: inputs.append(initializer(Tensor([1, 1, 2, 2], shape: [4])))
    case 1:
      attributes.append(Attribute("axes", [1, 2, 3]))
      inputs += [nil, integers([x.extents[0]] + size)]
    default:
      let shape = add("Shape", [x.value])
      let front = add("Slice", [shape, integers([0]), integers([2])])
      inputs += [nil, add("Concat", [front, integers(size)], [Attribute("axis", 0)])]
    }
    return Feature(value: add("Resize", inputs, attributes), extents: [x.extents[0]] + size)
  }

  /// The sum, product or so with an earlier image, or with a branch of its own.
  private mutating func added(_ x: Feature) -> Feature {
    guard let other = alike(x) else { return residual(x) }
    let value = add(pick(["Add", "Mul", "Sub", "Max"]), [x.value, other.value])
    return Feature(value: value, extents: x.extents)
  }

  private mutating func residual(_ x: Feature) -> Feature {
    let weight = constant([x.extents[0], x.extents[0], 1, 1])
    let branch = convolution(x, weight: weight, channels: x.extents[0], kernel: 1)
    return Feature(value: add("Add", [x.value, branch.value]), extents: x.extents)
  }

  /// A convolution's result of the height and width of `x`.
  private mutating func alikeInSize(_ x: Feature) -> Feature {
    let channels = pick([2, 3])
    let weight = constant([channels, x.extents[0], 1, 1])
    return convolution(x, weight: weight, channels: channels, kernel: 1)
  }

  /// ShuffleNet's exchange of channels between groups.
  private mutating func shuffled(_ x: Feature) -> Feature {
    guard let group = properDivisor(of: x.extents[0]) else { return activation(x) }
    let (channels, size) = (x.extents[0], Array(x.extents[1...]))
    let apart = reshaped(x.value, [group, channels / group] + size)
    let value = reshaped(transposed(apart, [0, 2, 1, 3, 4]), x.extents)
    return Feature(value: value, extents: x.extents)
  }

  /// A squeeze-and-excitation gate.
  private mutating func gated(_ x: Feature) -> Feature {
    let (channels, narrow) = (x.extents[0], pick([2, 4]))
    let squeezed = Feature(
      value: add("GlobalAveragePool", [x.value]), extents: [channels, 1, 1])
    let inner = constant([narrow, channels, 1, 1])
    let outer = constant([channels, narrow, 1, 1])
    let hidden = convolution(squeezed, weight: inner, channels: narrow, kernel: 1)
    let active = Feature(value: add("Relu", [hidden.value]), extents: hidden.extents)
    let gate = convolution(active, weight: outer, channels: channels, kernel: 1)
    let value = add("Mul", [x.value, add("Sigmoid", [gate.value])])
    return Feature(value: value, extents: x.extents)
  }

  /// One weight used twice in a row: its inputs are its outputs.
  private mutating func sharedConvolutions(_ x: Feature) -> Feature {
    let channels = x.extents[0]
    let weight = constant([channels, channels, 1, 1])
    let once = activation(convolution(x, weight: weight, channels: channels, kernel: 1))
    return convolution(once, weight: weight, channels: channels, kernel: 1)
  }

  /// A factor for every channel, by broadcasting or as the slope of a PRelu.
  private mutating func scaledByChannel(_ x: Feature) -> Feature {
    let operation = pick(["Mul", "Add", "PRelu"])
    let value = add(operation, [x.value, constant([x.extents[0], 1, 1])])
    return Feature(value: value, extents: x.extents)
  }

  /// The positions of the image as a sequence.
  private mutating func sequence(_ x: Feature) -> Feature {
    let (channels, positions) = (x.extents[0], x.extents[1] * x.extents[2])
    let flat = reshaped(x.value, [channels, positions])
    return Feature(value: transposed(flat, [0, 2, 1]), extents: [positions, channels])
  }
}
