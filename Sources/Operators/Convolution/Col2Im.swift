import PrunecGraphIR
import PrunecTensors

/// Col2Im (ONNX opset 18 to 28): blocks of an image put back and added up where they overlap: what
/// unfolding takes apart. `input [N, C b1 ... br, L]` has for every channel and each of L places of the
/// block its elements, `image_shape [r]` and `block_shape [r]` are operands, and Y is `[N, C, i1 ... ir]`.
///
/// Channels: with a channel go all elements of its blocks.
struct Col2Im: Operator {
  let signature = Signature(
    "Col2Im", opsets: 18...28, operands: 3...3,
    attributes: ["dilations": nil, "pads": nil, "strides": nil])

  /// The extents of the block; `nil` where they are not known.
  private func block(_ call: Invocation) throws(CompileError) -> [Int]? {
    try call.requireIntegerList(2)
    guard let block = call.operand(2)?.constantIntegers else { return nil }
    guard block.allSatisfy({ (1...1 << 31).contains($0) }), block.checkedElementCount != nil else {
      throw call.malformed("a block of \(block) is not possible")
    }
    return block
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    try call.requireIntegerList(1)
    let block = try block(call)
    let image =
      call.operand(1)?.integers.map { $0.map { Dimension($0) } }
      ?? call.unknownExtents(countedByOperand: 1)
    for name in ["dilations", "pads", "strides"] { _ = try call.optionalInts(name) }
    if let input = call.shape(0), input.count != 3 {
      throw call.malformed("the operand has \(input.count) axes instead of 3")
    }
    guard let image else { return [ValueFacts(type, nil)] }
    if let extent = image.lazy.compactMap(\.fixedExtent).first(where: { $0 < 1 }) {
      throw call.malformed("an extent of the image is \(extent)")
    }
    let input = call.shape(0) ?? [.unknown, .unknown, .unknown]
    var channels: Dimension = .unknown
    if let block {
      guard block.count == image.count else {
        throw call.malformed("the block has \(block.count) axes and the image \(image.count)")
      }
      let size = block.elementCount
      if let deep = input[1].fixedExtent {
        guard deep % size == 0 else {
          throw call.malformed("an extent of \(deep) is no multiple of \(size)")
        }
        channels = .fixed(deep / size)
      }
      let geometry = try ConvolutionGeometry(call, kernel: block, input: image)
      let places = TensorType(nil, geometry.output).fixedShape?.checkedElementCount
      if let places, let length = input[2].fixedExtent, places != length {
        throw call.malformed("there are \(places) places of the block and \(length) in the operand")
      }
    }
    return [ValueFacts(type, [input[0], channels] + image)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), input.count == 3, let block = (try? block(call)) ?? nil,
      input[1].fixedExtent ?? 0 > 0
    else { return }
    relations.equal(.operand(0, axis: 0), .result(axis: 0))
    let place = relations.virtualAxis(extent: block.elementCount)
    relations.pin(place, because: "the block stays")
    relations.split(.operand(0, axis: 1), into: [.result(axis: 1), place])
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let shape = resolved.results[0].fixedShape!
    let x = try call.tensor(0, of: operands)
    guard x.elementType.isFloatingPoint, let block = try block(resolved) else {
      throw call.unsupported("Col2Im of \(x.elementType.name) is not evaluated")
    }
    var y = [Double](repeating: 0, count: shape.elementCount)
    let source = x.doubles
    if source.isEmpty { return [Tensor(zeros: x.elementType, shape: shape)] }
    let targets = try targets(call, block: block, image: Array(shape[2...]))
    let size = shape[2...].reduce(1, *)
    for plane in 0..<(shape[0] * shape[1]) {
      for (index, target) in targets.enumerated() {
        guard let target else { continue }
        y[plane * size + target] += source[plane * targets.count + index]
      }
    }
    return [Tensor(rounding: y, to: x.elementType, shape: shape)]
  }

  /// For every element of the block, and each of its places: the offset in the image, if it is inside.
  private func targets(
    _ call: Invocation, block: [Int], image: [Int]
  ) throws(CompileError) -> [Int?] {
    let geometry = try ConvolutionGeometry(call, kernel: block, input: image.map { .fixed($0) })
    let places = geometry.output.map { $0.fixedExtent! }
    let (blockStrides, placeStrides) = (block.rowMajorStrides, places.rowMajorStrides)
    let imageStrides = image.rowMajorStrides
    var targets: [Int?] = []
    for element in 0..<block.elementCount {
      for place in 0..<places.elementCount {
        var target: Int? = 0
        for axis in image.indices {
          let index = geometry.inputIndex(
            place / placeStrides[axis] % places[axis],
            kernel: element / blockStrides[axis] % block[axis], axis: axis)
          guard (0..<image[axis]).contains(index) else {
            target = nil
            break
          }
          target! += index * imageStrides[axis]
        }
        targets.append(target)
      }
    }
    return targets
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
