import PrunecGraphIR
import PrunecTensors

/// What ConvInteger and QLinearConv share: the sums of products of integers, each less its zero point, and
/// the channels of weights with a zero point.
struct IntegerConvolution {
  let form: ConvolutionForm
  /// The places of the zero points.
  let xZeroPoint: Int
  let wZeroPoint: Int

  static let attributes: [String: Attribute.Value?] = [
    "auto_pad": .string(Array("NOTSET".utf8)), "dilations": nil, "group": .int(1),
    "kernel_shape": nil, "pads": nil, "strides": nil,
  ]

  func resultShape(_ call: Invocation) throws(CompileError) -> [Dimension]? {
    try ZeroPoints.requireBytes(call, form.x, form.w)
    for (index, factor) in [(xZeroPoint, form.x), (wZeroPoint, form.w)] {
      try call.requireSameType(index, factor)
    }
    try ZeroPoints.requireOne(call, xZeroPoint)
    try requireOneOrEach(call, wZeroPoint)
    return try form.resultShape(call)
  }

  /// Throws where operand `index` is known to be anything but one number, or one for each filter.
  func requireOneOrEach(_ call: Invocation, _ index: Int) throws(CompileError) {
    guard let shape = call.shape(index), !shape.allSatisfy({ $0.fixedExtent == 1 }) else { return }
    guard shape.count == 1 else {
      throw call.malformed("operand \(index) has \(shape.count) axes")
    }
    guard let extent = shape[0].fixedExtent, let filters = call.shape(form.w)?[0].fixedExtent,
      extent != filters
    else { return }
    throw call.malformed("operand \(index) has \(extent) elements for \(filters) filters")
  }

  /// Ties the channels together; `each` are the operands that may have one element for each filter,
  /// `single` those that have one in all.
  func relate(
    _ call: Invocation, each: [Int], single: [Int], _ relations: inout Relations
  ) {
    let isKnown = each.allSatisfy { index in
      call.shape(index)?.allSatisfy { $0.fixedExtent != nil } ?? (call.operand(index) == nil)
    }
    guard isKnown, single.allSatisfy({ ZeroPoints.isSingle(call, $0) }),
      form.relate(call, &relations)
    else { return }
    ZeroPoints.relateSum(
      over: (.operand(form.x, axis: 1), xZeroPoint), (.operand(form.w, axis: 1), wZeroPoint), call,
      &relations)
    for index in each {
      guard let extent = call.shape(index)?.first?.fixedExtent, extent != 1 else { continue }
      relations.equal(.operand(index, axis: 0), .operand(form.w, axis: 0))
    }
  }

  /// The sums for every element of a result of `shape`.
  func sums(
    _ call: Invocation, _ operands: [Tensor?], shape: [Int]
  ) throws(CompileError) -> [Int] {
    let (x, w) = (operands[form.x]!, operands[form.w]!)
    func zeroPoint(_ index: Int) -> [Int] {
      (index < operands.count ? operands[index]?.integers : nil) ?? [0]
    }
    let (input, output) = (Array(x.shape[2...]), Array(shape[2...]))
    let geometry = try ConvolutionGeometry(
      call, kernel: Array(w.shape[2...]), input: input.map { .fixed($0) })
    let taps = (0..<geometry.kernel.elementCount).map {
      ConvolutionTap(geometry, $0, input: input, output: output)
    }
    let (inputCount, outputCount) = (input.elementCount, output.elementCount)
    let (channels, filters, inputs) = (x.shape[1], shape[1], w.shape[1])
    let outputs = filters / call.int("group")!
    let (xZero, wZeros) = (zeroPoint(xZeroPoint)[0], zeroPoint(wZeroPoint))
    // What lies in the padding is the zero point, and adds nothing.
    let data = x.integers.map { $0 - xZero }
    let weights = w.integers
    var sums = [Int](repeating: 0, count: shape.elementCount)
    let (last, rowIn, rowOut) = (input.count - 1, input.last!, output.last!)
    for plane in 0..<(shape[0] * filters) {
      let (n, m) = (plane / filters, plane % filters)
      let wZero = wZeros[wZeros.count == 1 ? 0 : m]
      for c in 0..<inputs {
        let image = (n * channels + m / outputs * inputs + c) * inputCount
        for (k, tap) in taps.enumerated() where !tap.columns.isEmpty {
          let weight = weights[(m * inputs + c) * taps.count + k] - wZero
          let first = geometry.inputIndex(tap.columns.lowerBound, kernel: tap.last, axis: last)
          for row in tap.rows {
            let target = plane * outputCount + row.output * rowOut + tap.columns.lowerBound
            let source = image + row.input * rowIn + first
            for index in 0..<tap.columns.count {
              sums[target + index] += weight * data[source + index * geometry.strides[last]]
            }
          }
        }
      }
    }
    return sums
  }
}
