import PrunecGraphIR
import PrunecTensors

/// Conv (ONNX opset 7 to 28): `Y[n, m, ...] = B[m] + sum over c and k of W[m, c, k] X[n, c', ...]`
/// with `X [N, C, D1 ... Dn]`, `W [M, C/group, k1 ... kn]`, `B [M]`, `Y [N, M, E1 ... En]`.
///
/// Channels: the input axis of an ungrouped convolution is summed over, and W's axis 1 goes with it;
/// output channels go with W's axis 0 and B. With groups, both channel axes are products of the
/// group and a position within it: either whole groups go, or the same positions in every group.
package struct Conv: Operator {
  package let signature = Signature(
    "Conv", operands: 2...3,
    attributes: [
      "auto_pad": .string(Array("NOTSET".utf8)), "dilations": nil, "group": .int(1),
      "kernel_shape": nil, "pads": nil, "strides": nil,
    ])

  package init() {}

  private static let form = ConvolutionForm(x: 0, w: 1, bias: 2)

  package func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 1, 2)
    return [ValueFacts(call.elementType(0), try Self.form.resultShape(call))]
  }

  package func relate(_ call: Invocation, _ relations: inout Relations) {
    guard Self.form.relate(call, &relations) else { return }
    relations.sum(over: .operand(0, axis: 1))
  }

  package func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    Self.form.adapt(call, to: cut)
  }

  package func evaluate(
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

  package func macs(_ call: Invocation) -> Int { Self.form.macs(call) }
}

extension Conv: KernelOperator {
  package func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    try .convolution(Self.form.computation(call))
  }
}
