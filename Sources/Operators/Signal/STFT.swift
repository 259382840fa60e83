import PrunecGraphIR
import PrunecTensors

/// STFT (ONNX opset 17 to 28): the Fourier transforms of frames of `signal [N, L, 1]`, real, or `[N, L, 2]`, complex:
/// `Y [N, F, B, 2]`. Frames of `frame_length` elements begin `frame_step` elements apart, and are multiplied with
/// `window`, where it is given. B is the length of a frame or, `onesided`, half of it and one.
///
/// Channels: sequences go with themselves; the rest is pinned.
struct STFT: Operator {
  let signature = Signature(
    "STFT", opsets: 17...28, operands: 2...4, attributes: ["onesided": .int(1)])

  /// The length of frames.
  private func length(_ call: Invocation) throws(CompileError) -> Dimension {
    if call.operand(3) != nil { return try call.extent(givenBy: 3) }
    if call.operand(2) != nil {
      guard let window = call.shape(2) else { return .unknown }
      guard window.count == 1 else { throw call.malformed("the window has \(window.count) axes") }
      return window[0]
    }
    return call.shape(0)?[1] ?? .unknown
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try call.requireFloatingPoint(0, 2)
    try call.requireSameType(0, 2)
    guard let signal = call.shape(0) else {
      return [ValueFacts(call.elementType(0), [.unknown, .unknown, .unknown, .fixed(2)])]
    }
    // onnxruntime takes a real signal without the last axis too.
    guard signal.count == 3 || signal.count == 2 else {
      throw call.malformed("the signal has \(signal.count) axes")
    }
    if signal.count == 3, let parts = signal[2].fixedExtent, parts != 1, parts != 2 {
      throw call.malformed("the last axis of the signal has \(parts) elements instead of 1 or 2")
    }
    let (length, step) = (try length(call), try call.extent(givenBy: 1))
    try call.requireVector(2, of: length.fixedExtent)
    guard step.fixedExtent != 0, length.fixedExtent != 0 else {
      throw call.malformed("the frames have no length or no distance")
    }
    let isOnesided = try call.requiredInt("onesided") != 0
    var frames = Dimension.unknown
    if let all = signal[1].fixedExtent, let length = length.fixedExtent,
      let step = step.fixedExtent
    {
      guard length <= all else { throw call.malformed("a frame is longer than the signal") }
      frames = .fixed((all - length) / step + 1)
    }
    let bins =
      isOnesided ? length.fixedExtent.map { Dimension.fixed($0 / 2 + 1) } ?? .unknown : length
    return [ValueFacts(call.elementType(0), [signal[0], frames, bins, .fixed(2)])]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let rank = call.shape(0)?.count else { return }
    relations.equal(.operand(0, axis: 0), .result(axis: 0))
    for axis in 1..<max(1, rank) {
      relations.pin(.operand(0, axis: axis), because: "Fourier transforms run over it")
    }
    for axis in 1..<4 {
      relations.pin(.result(axis: axis), because: "Fourier transforms give it")
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let shape = resolved.results[0].fixedShape!
    let signal = operands[0]!
    guard let length = try length(resolved).fixedExtent,
      let step = try resolved.extent(givenBy: 1).fixedExtent
    else { throw call.unsupported("the frames are not known") }
    let transform = try FourierTransform(
      length: length, isInverse: false, count: shape[0] * shape[1], call)
    let parts = signal.rank == 3 ? signal.shape[2] : 1
    let window = operands.count > 2 ? operands[2]?.doubles : nil
    let elements = signal.doubles
    var y: [Double] = []
    y.reserveCapacity(shape.elementCount)
    for n in 0..<shape[0] {
      for frame in 0..<shape[1] {
        let start = n * signal.shape[1] + frame * step
        let spectrum = transform(
          (0..<length).map { index in
            let place = (start + index) * parts
            let element = FourierTransform.Complex(
              elements[place], parts == 2 ? elements[place + 1] : 0)
            return element * (window?[index] ?? 1)
          })
        for bin in spectrum.prefix(shape[2]) { y += [bin.x, bin.y] }
      }
    }
    return [Tensor(rounding: y, to: signal.elementType, shape: shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
