import PrunecGraphIR
import PrunecTensors

/// DepthToSpace and SpaceToDepth (ONNX opset 7 to 28), each the other's inverse: with block size b,
/// `[N, C b b, H, W]` becomes `[N, C, H b, W b]`. The deep axis is the product of the place in the
/// block and the channel (`mode` DCR), or the other way round (CRD; for SpaceToDepth since opset 28).
///
/// Channels: with a channel of the flat side go all b b of the deep side that make it up.
struct DepthToSpace: Operator {
  let signature: Signature
  private let isInverse: Bool

  private init(_ type: String, isInverse: Bool) {
    signature = Signature(
      type, operands: 1...1,
      attributes: ["blocksize": nil, "mode": .string(Array("DCR".utf8))])
    self.isInverse = isInverse
  }

  static let all = [
    DepthToSpace("DepthToSpace", isInverse: false), DepthToSpace("SpaceToDepth", isInverse: true),
  ]

  /// Block size, and whether the channel comes first in the deep axis.
  private func form(_ call: Invocation) throws(CompileError) -> (size: Int, channelFirst: Bool) {
    let size = try call.requiredInt("blocksize")
    guard size > 0, size < 1 << 15 else { throw call.malformed("the block size is \(size)") }
    guard let mode = call.string("mode"), mode == "DCR" || mode == "CRD" else {
      throw call.malformed("'mode' is neither DCR nor CRD")
    }
    return (size, mode == "CRD")
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let (size, _) = try form(call)
    let type = call.elementType(0)
    guard let input = call.shape(0) else { return [ValueFacts(type, nil)] }
    guard input.count == 4 else { throw call.malformed("X has \(input.count) axes instead of 4") }
    let deep = size * size
    var shape = [input[0]]
    for (axis, factor) in [(1, deep), (2, size), (3, size)] {
      // DepthToSpace divides the channels and multiplies the extents of the image.
      shape.append(
        try isInverse == (axis == 1)
          ? product(input[axis], factor, call) : quotient(input[axis], factor, call))
    }
    return [ValueFacts(type, shape)]
  }

  private func product(
    _ dimension: Dimension, _ factor: Int, _ call: Invocation
  ) throws(CompileError) -> Dimension {
    guard let extent = dimension.fixedExtent else { return factor == 1 ? dimension : .unknown }
    let (product, overflow) = extent.multipliedReportingOverflow(by: factor)
    guard !overflow else { throw call.malformed("an extent is out of range") }
    return .fixed(product)
  }

  private func quotient(
    _ dimension: Dimension, _ divisor: Int, _ call: Invocation
  ) throws(CompileError) -> Dimension {
    guard let extent = dimension.fixedExtent else { return divisor == 1 ? dimension : .unknown }
    guard extent % divisor == 0 else {
      throw call.malformed("an extent of \(extent) does not divide by \(divisor)")
    }
    return .fixed(extent / divisor)
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), input.count == 4, let (size, channelFirst) = try? form(call)
    else { return }
    relations.equal(.operand(0, axis: 0), .result(axis: 0))
    guard input[1].fixedExtent ?? 0 > 0 else { return }
    var (flat, deep) = (AxisReference.result(axis: 1), AxisReference.operand(0, axis: 1))
    if isInverse { swap(&flat, &deep) }
    let place = relations.virtualAxis(extent: size * size)
    relations.pin(place, because: "the block size stays")
    relations.split(deep, into: channelFirst ? [flat, place] : [place, flat])
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let shape = try resolve(call, on: operands).results[0].fixedShape!
    let x = try call.tensor(0, of: operands)
    if shape.contains(0) { return [x.emptied(shape)] }
    let (size, channelFirst) = try form(call)
    guard isInverse else {
      let blocks = channelFirst ? [shape[1], size, size] : [size, size, shape[1]]
      let parts = x.reshaped([shape[0]] + blocks + [x.shape[2], x.shape[3]])
      return [
        parts.transposed(channelFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]).reshaped(shape)
      ]
    }
    let parts = x.reshaped([x.shape[0], x.shape[1], shape[2], size, shape[3], size])
    return [
      parts.transposed(channelFirst ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]).reshaped(shape)
    ]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension DepthToSpace: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let (size, channelFirst) = try form(call)
    let shape = call.results[0].fixedShape!
    let x = call.operand(0)!.fixedShape!
    if isInverse {
      let parts = [x[0], x[1], shape[2], size, shape[3], size]
      let order = channelFirst ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]
      return .views([[.reshape(parts), .permute(order), .reshape(shape)]])
    }
    let blocks = channelFirst ? [shape[1], size, size] : [size, size, shape[1]]
    let order = channelFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]
    return .views([
      [.reshape([shape[0]] + blocks + [x[2], x[3]]), .permute(order), .reshape(shape)]
    ])
  }
}
