import PrunecGraphIR
import PrunecTensors

/// DFT (ONNX opset 17 to 28): the discrete Fourier transform of `X [..., n, ..., 1]`, real, or `[..., n, ..., 2]`,
/// complex, along an axis, the attribute `axis` before opset 20 and an operand since; `Y [..., m, ..., 2]`. The signal
/// is cut off or filled with zeros to `dft_length`. With `onesided` the half of Y that says all of a real signal is
/// kept; with `inverse` besides X is such a half, and `Y [..., m, ..., 1]`.
///
/// Channels: the axis and that of real and imaginary parts are pinned; the others go with themselves.
struct DFT: Operator {
  let signature = Signature(
    "DFT", opsets: 17...28, operands: 1...3,
    attributes: ["axis": nil, "inverse": .int(0), "onesided": .int(0)])

  private struct Form {
    /// `nil` where it is not known.
    var axis: Int?
    var isInverse: Bool
    var isOnesided: Bool
  }

  private func form(_ call: Invocation, rank: Int) throws(CompileError) -> Form {
    var axis = call.opset < 20 ? 1 : -2
    var isKnown = true
    if call.opset < 20 {
      if call.has("axis") { axis = try call.requiredInt("axis") }
    } else if let operand = call.operand(2) {
      try call.requireIntegerList(2)
      isKnown = operand.constantIntegers?.count == 1
      axis = operand.constantIntegers?.first ?? axis
    }
    axis = try call.normalizedAxis(axis, rank: rank)
    guard axis < rank - 1 else { throw call.malformed("the axis is that of complex numbers") }
    return Form(
      axis: isKnown ? axis : nil, isInverse: try call.requiredInt("inverse") != 0,
      isOnesided: try call.requiredInt("onesided") != 0)
  }

  /// The length of the transform.
  private func length(
    _ call: Invocation, _ form: Form, _ extent: Dimension
  ) throws(CompileError) -> Dimension {
    if call.operand(1) != nil { return try call.extent(givenBy: 1) }
    guard form.isInverse, form.isOnesided else { return extent }
    // Longer signals are refused when they are computed.
    return extent.fixedExtent.map { .fixed(2 * (min(max($0, 1), 1 << 40) - 1)) } ?? .unknown
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0)
    guard var shape = call.shape(0) else { return [ValueFacts(call.elementType(0), nil)] }
    guard shape.count >= 2 else { throw call.malformed("X has \(shape.count) axes") }
    if let parts = shape.last!.fixedExtent, parts != 1, parts != 2 {
      throw call.malformed("the last axis of X has \(parts) elements instead of 1 or 2")
    }
    let form = try form(call, rank: shape.count)
    shape[shape.count - 1] = .fixed(form.isInverse && form.isOnesided ? 1 : 2)
    guard let axis = form.axis else {
      // Whichever axis it is, it stays as long as it is.
      if call.operand(1) == nil, !form.isOnesided {
        return [ValueFacts(call.elementType(0), shape)]
      }
      for axis in 0..<(shape.count - 1) { shape[axis] = .unknown }
      return [ValueFacts(call.elementType(0), shape)]
    }
    let length = try length(call, form, shape[axis])
    if length.fixedExtent == 0 { throw call.malformed("the transform has no elements") }
    shape[axis] =
      form.isOnesided && !form.isInverse
      ? length.fixedExtent.map { .fixed($0 / 2 + 1) } ?? .unknown : length
    return [ValueFacts(call.elementType(0), shape)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count, let form = try? form(call, rank: rank),
      let transformed = form.axis
    else { return }
    for axis in 0..<rank {
      if axis == transformed || axis == rank - 1 {
        relations.pin(.operand(0, axis: axis), because: "a Fourier transform runs over it")
        relations.pin(.result(axis: axis), because: "a Fourier transform runs over it")
      } else {
        relations.equal(.operand(0, axis: axis), .result(axis: axis))
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let shape = resolved.results[0].fixedShape!
    let x = operands[0]!
    let form = try form(resolved, rank: x.rank)
    guard let axis = form.axis,
      let length = try length(resolved, form, .fixed(x.shape[axis])).fixedExtent
    else { throw call.unsupported("the axis or the length is not known") }
    // Lanes along the axis, of whole complex numbers.
    let (own, target) = (
      AxisLanes(Array(x.shape.dropLast()), axis: axis),
      AxisLanes(Array(shape.dropLast()), axis: axis)
    )
    let (parts, targetParts) = (x.shape.last!, shape.last!)
    let transform = try FourierTransform(
      length: length, isInverse: form.isInverse, count: own.starts.count, call)
    let elements = x.doubles
    var y = [Double](repeating: 0, count: shape.elementCount)
    for (start, first) in zip(own.starts, target.starts) {
      var signal = [FourierTransform.Complex](repeating: .zero, count: length)
      for index in 0..<min(length, own.count) {
        let place = (start + index * own.stride) * parts
        signal[index] = .init(elements[place], parts == 2 ? elements[place + 1] : 0)
      }
      if form.isInverse, form.isOnesided { Self.mirror(&signal) }
      let spectrum = transform(signal)
      for index in 0..<target.count {
        let place = (first + index * target.stride) * targetParts
        y[place] = spectrum[index].x
        if targetParts == 2 { y[place + 1] = spectrum[index].y }
      }
    }
    return [Tensor(rounding: y, to: x.elementType, shape: shape)]
  }

  /// Makes the spectrum of a real signal whole, of which the first half is there.
  private static func mirror(_ spectrum: inout [FourierTransform.Complex]) {
    let length = spectrum.count
    // The mean, and the middle where there is one, are real.
    spectrum[0].y = 0
    if length % 2 == 0 { spectrum[length / 2].y = 0 }
    for index in (length / 2 + 1)..<max(length, length / 2 + 1) {
      spectrum[index] = .init(spectrum[length - index].x, -spectrum[length - index].y)
    }
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
