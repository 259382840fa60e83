/// Conv (ONNX opset 7 to 28): `Y[n, m, ...] = B[m] + sum over c and k of W[m, c, k] X[n, c', ...]`
/// with `X [N, C, D1 ... Dn]`, `W [M, C/group, k1 ... kn]`, `B [M]`, `Y [N, M, E1 ... En]`.
///
/// Channels: the input axis of an ungrouped convolution is summed over, and W's axis 1 goes with it;
/// output channels go with W's axis 0 and B. With groups, both channel axes are products of the
/// group and a position within it: either whole groups go, or the same positions in every group.
public struct Conv: Operator {
  public let signature = Signature(
    "Conv", operands: 2...3,
    attributes: [
      "auto_pad": .string(Array("NOTSET".utf8)), "dilations": nil, "group": .int(1),
      "kernel_shape": nil, "pads": nil, "strides": nil,
    ])

  public init() {}

  public func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, 2)
    let type = call.elementType(0)
    let group = try call.requiredInt("group")
    guard group > 0 else { throw call.malformed("group is \(group)") }
    guard let input = call.shape(0), let weight = call.shape(1) else {
      return [ValueFacts(type, nil)]
    }
    guard input.count >= 3, weight.count == input.count else {
      throw call.malformed("X has \(input.count) axes and W has \(weight.count)")
    }
    if let channels = input[1].fixedExtent, let perGroup = weight[1].fixedExtent {
      let (product, overflow) = perGroup.multipliedReportingOverflow(by: group)
      guard !overflow, product == channels else {
        throw call.malformed(
          "X has \(channels) channels, W takes \(perGroup) in each of \(group) group(s)")
      }
    }
    if let filters = weight[0].fixedExtent, filters % group != 0 {
      throw call.malformed("\(filters) filters do not divide into \(group) groups")
    }
    if let bias = call.shape(2) {
      guard bias.count == 1 else { throw call.malformed("B has \(bias.count) axes") }
      if let length = bias[0].fixedExtent, let filters = weight[0].fixedExtent, length != filters {
        throw call.malformed("B has \(length) elements for \(filters) filters")
      }
    }
    guard let kernel = try ConvolutionGeometry.kernel(call, weight: weight) else {
      let spatial = [Dimension](repeating: .unknown, count: input.count - 2)
      return [ValueFacts(type, [input[0], weight[0]] + spatial)]
    }
    let geometry = try ConvolutionGeometry(call, kernel: kernel, input: Array(input[2...]))
    return [ValueFacts(type, [input[0], weight[0]] + geometry.output)]
  }

  public func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, call.shape(0)?[1].fixedExtent != nil,
      let filters = call.shape(1)?[0].fixedExtent
    else { return }
    let group = call.int("group")!
    relations.equal(.operand(1, axis: 0), .result(axis: 1))
    if call.operand(2) != nil { relations.equal(.operand(2, axis: 0), .result(axis: 1)) }
    relations.sum(over: .operand(0, axis: 1))
    if group == 1 {
      relations.equal(.operand(0, axis: 1), .operand(1, axis: 1))
    } else {
      let groups = relations.virtualAxis(extent: group)
      relations.split(.operand(0, axis: 1), into: [groups, .operand(1, axis: 1)])
      let positions = relations.virtualAxis(extent: filters / group)
      relations.split(.result(axis: 1), into: [groups, positions])
    }
  }

  public func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    let group = call.int("group")!
    guard group > 1, let kept = cut[.operand(0, axis: 1)] else { return [] }
    let perGroup = cut[.operand(1, axis: 1)]?.count ?? call.shape(1)![1].fixedExtent!
    return [.attribute(Attribute("group", kept.count / perGroup))]
  }

  public func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    let (x, w) = (operands[0]!, operands[1]!)
    let spatialRank = x.rank - 2
    let geometry = try ConvolutionGeometry(
      call, kernel: Array(w.shape[2...]), input: x.shape[2...].map { .fixed($0) })
    let output = geometry.output.map { $0.fixedExtent! }
    let (batch, channels, filters) = (x.shape[0], x.shape[1], w.shape[0])
    let group = call.int("group")!
    let (inputs, outputs) = (channels / group, filters / group)
    let inputCount = x.shape[2...].reduce(1, *)
    let outputCount = output.reduce(1, *)
    let kernelCount = geometry.kernel.reduce(1, *)
    let bias = operands.count > 2 ? operands[2]?.floats : nil
    let (rowIn, rowOut) = (x.shape.last!, output.last!)
    let last = spatialRank - 1

    // For each kernel position: where along the last axis an output row overlaps its input row, and
    // for each output row which input row it reads.
    let taps = (0..<kernelCount).map { flat in
      ConvolutionTap(geometry, flat, input: Array(x.shape[2...]), output: output)
    }
    var y = [Float](repeating: 0, count: batch * filters * outputCount)
    x.floats.withUnsafeBufferPointer { source in
      w.floats.withUnsafeBufferPointer { weights in
        y.withUnsafeMutableBufferPointer { target in
          for n in 0..<batch {
            for m in 0..<filters {
              let plane = target.baseAddress! + (n * filters + m) * outputCount
              if let bias { for i in 0..<outputCount { plane[i] = bias[m] } }
              for c in 0..<inputs {
                let channel = m / outputs * inputs + c
                let image = source.baseAddress! + (n * channels + channel) * inputCount
                for (k, tap) in taps.enumerated() where !tap.columns.isEmpty {
                  let weight = weights[(m * inputs + c) * kernelCount + k]
                  for (row, inputRow) in tap.rows {
                    Self.accumulate(
                      plane + row * rowOut + tap.columns.lowerBound, tap.columns.count,
                      image + inputRow * rowIn
                        + geometry.inputIndex(tap.columns.lowerBound, kernel: tap.last, axis: last),
                      step: geometry.strides[last], weight)
                  }
                }
              }
            }
          }
        }
      }
    }
    return [Tensor(rounding: y, to: x.elementType, shape: [batch, filters] + output)]
  }

  @inline(__always)
  private static func accumulate(
    _ target: UnsafeMutablePointer<Float>, _ count: Int, _ source: UnsafePointer<Float>,
    step: Int, _ weight: Float
  ) {
    if step == 1 {
      for i in 0..<count { target[i] += weight * source[i] }
    } else {
      for i in 0..<count { target[i] += weight * source[i * step] }
    }
  }

  public func macs(_ call: Invocation) -> Int {
    guard let output = call.results.first?.shape, let weight = call.shape(1) else { return 0 }
    return (output + weight[1...]).reduce(1) { $0 &* $1.nominalExtent }
  }
}
