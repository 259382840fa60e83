import PrunecGraphIR
import PrunecTensors

/// ConvTranspose (ONNX opset 7 to 28), the transpose of a convolution: every element of X adds
/// itself times the kernel to Y, `Y[n, m, i * stride + k * dilation - pad] += X[n, c, i] W[c, m, k]`,
/// plus `B[m]`; `X [N, C, D1 ... Dn]`, `W [C, M/group, k1 ... kn]`, `B [M]`, `Y [N, M, E1 ... En]`.
///
/// Channels: X's channel axis goes with W's axis 0 and is summed over; output channels go with B
/// and, ungrouped, with W's axis 1. With groups, both channel axes are products of the group and a
/// position within it: either whole groups go, or the same positions in every group.
package struct ConvTranspose: Operator {
  package let signature = Signature(
    "ConvTranspose", operands: 2...3,
    attributes: [
      "auto_pad": .string(Array("NOTSET".utf8)), "dilations": nil, "group": .int(1),
      "kernel_shape": nil, "output_padding": nil, "output_shape": nil, "pads": nil, "strides": nil,
    ])

  package init() {}

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
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
    if let channels = weight[0].fixedExtent {
      guard channels % group == 0, input[1].fixedExtent ?? channels == channels else {
        throw call.malformed(
          "W takes \(channels) channels in \(group) group(s), X has \(input[1].extent)")
      }
    }
    var filters = Dimension.unknown
    if let perGroup = weight[1].fixedExtent {
      let (product, overflow) = perGroup.multipliedReportingOverflow(by: group)
      guard !overflow else { throw call.malformed("\(perGroup) filters in \(group) groups") }
      filters = .fixed(product)
    }
    if let bias = call.shape(2) {
      guard bias.count == 1 else { throw call.malformed("B has \(bias.count) axes") }
      if let length = bias[0].fixedExtent, let filters = filters.fixedExtent, length != filters {
        throw call.malformed("B has \(length) elements for \(filters) filters")
      }
    }
    guard let kernel = try ConvolutionGeometry.kernel(call, weight: weight) else {
      let spatial = [Dimension](repeating: .unknown, count: input.count - 2)
      return [ValueFacts(type, [input[0], filters] + spatial)]
    }
    let geometry = try ConvolutionGeometry(
      transposed: call, kernel: kernel, input: Array(input[2...]))
    return [ValueFacts(type, [input[0], filters] + geometry.output)]
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let channels = call.shape(1)?[0].fixedExtent else { return }
    let group = call.int("group")!
    relations.equal(.operand(0, axis: 1), .operand(1, axis: 0))
    relations.sum(over: .operand(0, axis: 1))
    if call.operand(2) != nil { relations.equal(.operand(2, axis: 0), .result(axis: 1)) }
    if group == 1 {
      relations.equal(.operand(1, axis: 1), .result(axis: 1))
    } else {
      let groups = relations.virtualAxis(extent: group)
      let positions = relations.virtualAxis(extent: channels / group)
      relations.split(.operand(0, axis: 1), into: [groups, positions])
      relations.split(.result(axis: 1), into: [groups, .operand(1, axis: 1)])
    }
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard call.int("group")! > 1, let kept = cut[.result(axis: 1)] else { return [] }
    let perGroup = cut[.operand(1, axis: 1)]?.count ?? call.shape(1)![1].fixedExtent!
    return [.attribute(Attribute("group", kept.count / max(perGroup, 1)))]
  }

  package func evaluate(
    _ call: Invocation, _ operands: [Tensor?]
  ) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let (x, w) = (operands[0]!, operands[1]!)
    let geometry = try ConvolutionGeometry(
      transposed: call, kernel: Array(w.shape[2...]), input: x.shape[2...].map { .fixed($0) })
    let group = call.int("group")!
    let (channels, filters) = (x.shape[1], shape[1])
    let (inputs, outputs) = (channels / group, filters / group)
    let (inputExtents, outputExtents) = (Array(x.shape[2...]), Array(shape[2...]))
    let (inputCount, outputCount) = (inputExtents.elementCount, outputExtents.elementCount)
    let taps = (0..<geometry.kernel.elementCount).map {
      ConvolutionTap(geometry, $0, input: outputExtents, output: inputExtents)
    }
    let (source, weights) = (x.floats, w.floats)
    var y = [Float](repeating: 0, count: shape.elementCount)
    if operands.count > 2, let bias = operands[2]?.floats, outputCount > 0 {
      for index in y.indices { y[index] = bias[index / outputCount % filters] }
    }
    guard x.count > 0, !y.isEmpty else {
      return [Tensor(rounding: y, to: x.elementType, shape: shape)]
    }
    let last = inputExtents.count - 1
    let (rowIn, rowOut, step) = (inputExtents[last], outputExtents[last], geometry.strides[last])
    y.withUnsafeMutableBufferPointer { y in
      source.withUnsafeBufferPointer { source in
        for plane in 0..<(x.shape[0] * filters) {
          let (n, m) = (plane / filters, plane % filters)
          for c in (m / outputs * inputs)..<((m / outputs + 1) * inputs) {
            let image = source.baseAddress! + (n * channels + c) * inputCount
            for (k, tap) in taps.enumerated() where !tap.columns.isEmpty {
              let weight = weights[(c * outputs + m % outputs) * taps.count + k]
              let first = geometry.inputIndex(tap.columns.lowerBound, kernel: tap.last, axis: last)
              for row in tap.rows {
                let from = image + row.output * rowIn + tap.columns.lowerBound
                let to = y.baseAddress! + plane * outputCount + row.input * rowOut + first
                for index in 0..<tap.columns.count { to[index * step] += weight * from[index] }
              }
            }
          }
        }
      }
    }
    return [Tensor(rounding: y, to: x.elementType, shape: shape)]
  }

  package func macs(_ call: Invocation) -> Int {
    guard let input = call.shape(0), let weight = call.shape(1) else { return 0 }
    return (input + weight[1...]).reduce(1) { $0 &* $1.nominalExtent }
  }
}

extension ConvTranspose: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let weight = call.operand(1)!.fixedShape!
    let geometry = try ConvolutionGeometry(
      transposed: call, kernel: Array(weight[2...]), input: Array(call.shape(0)![2...]))
    return .convolution(
      ConvolutionComputation(
        groups: call.int("group")!, kernel: geometry.kernel, strides: geometry.strides,
        dilations: geometry.dilations, padding: geometry.padding!, isTransposed: true))
  }
}
