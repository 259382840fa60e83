import PrunecGraphIR
import PrunecTensors

/// How a scale or a zero point lies along the axes of the tensor that it belongs to.
enum Granularity: Equatable {
  /// One for the whole tensor.
  case tensor
  /// One for each index of an axis.
  case axis(Int)
  /// One for each run of `size` neighbouring indices of an axis, and for each index of the others.
  case blocks(axis: Int, size: Int)
  /// Too little is known to say.
  case unknown

  /// That of operand `index`, which belongs to operand 0; throws where the two do not fit.
  init(_ call: Invocation, parameter index: Int) throws(CompileError) {
    let blockSize = try call.requiredInt("block_size")
    guard blockSize >= 0 else { throw call.malformed("block_size is \(blockSize)") }
    let given = try call.requiredInt("axis")
    guard let own = call.shape(index) else {
      self = .unknown
      return
    }
    // A single element is one for the whole tensor, whatever its shape.
    if own.allSatisfy({ $0.fixedExtent == 1 }) {
      self = .tensor
      return
    }
    guard let shape = call.shape(0) else {
      self = .unknown
      return
    }
    let axis = shape.count == 1 ? 0 : try call.normalizedAxis(given, rank: shape.count)
    guard blockSize > 0 else {
      guard own.count == 1, !shape.isEmpty else {
        throw call.malformed("operand \(index) has \(own.count) axes")
      }
      guard let extent = own[0].fixedExtent else {
        self = .unknown
        return
      }
      guard shape[axis].fixedExtent ?? extent == extent else {
        throw call.malformed(
          "operand \(index) has \(extent) elements for an axis of another extent")
      }
      self = .axis(axis)
      return
    }
    guard own.count == shape.count else {
      throw call.malformed("operand \(index) has \(own.count) axes instead of \(shape.count)")
    }
    for other in shape.indices {
      guard let extent = own[other].fixedExtent, let whole = shape[other].fixedExtent else {
        continue
      }
      let expected = other == axis ? whole / blockSize + (whole % blockSize > 0 ? 1 : 0) : whole
      guard extent == expected else {
        throw call.malformed("operand \(index) has extent \(extent) instead of \(expected)")
      }
    }
    self = .blocks(axis: axis, size: blockSize)
  }

  /// Ties the axes of operand `index` to those of operand 0.
  func relate(_ call: Invocation, parameter index: Int, _ relations: inout Relations) {
    guard let shape = call.shape(0) else { return }
    switch self {
    case .tensor: break
    case .axis(let axis): relations.equal(.operand(index, axis: 0), .operand(0, axis: axis))
    case .blocks(let blocked, let size):
      for axis in shape.indices where axis != blocked {
        relations.equal(.operand(index, axis: axis), .operand(0, axis: axis))
      }
      guard let extent = shape[blocked].fixedExtent, extent % size == 0 else {
        relations.pin(.operand(0, axis: blocked), because: "the last block is smaller")
        return
      }
    case .unknown:
      for axis in shape.indices {
        relations.pin(
          .operand(0, axis: axis), because: "it is not known what the scale belongs to")
      }
    }
  }

  /// A tensor of `shape` is runs of `size` elements, each of which has one parameter, of `count` in turn; `nil` for blocks.
  func runs(in shape: [Int]) -> (count: Int, size: Int)? {
    switch self {
    case .tensor: (1, shape.elementCount)
    case .axis(let axis): (shape[axis], shape[(axis + 1)...].reduce(1, *))
    case .blocks, .unknown: nil
    }
  }

  /// For each element of a tensor of `shape`, in order, the offset of what belongs to it in a scale or
  /// zero point of shape `own`.
  func offsets(of own: [Int], in shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 0, count: shape.count)
    var divisors = [Int](repeating: 1, count: shape.count)
    switch self {
    case .tensor, .unknown: break
    case .axis(let axis): strides[axis] = 1
    case .blocks(let axis, let size):
      strides = own.rowMajorStrides
      divisors[axis] = size
    }
    var offsets = [0]
    offsets.reserveCapacity(shape.elementCount)
    for axis in shape.indices {
      var next: [Int] = []
      next.reserveCapacity(offsets.count * shape[axis])
      for offset in offsets {
        for index in 0..<shape[axis] {
          next.append(offset + index / divisors[axis] * strides[axis])
        }
      }
      offsets = next
    }
    return offsets
  }
}

/// What QuantizeLinear and DequantizeLinear share: their channels.
enum Quantization {
  /// The type of a result that an attribute may name by its number, 0 standing for none.
  static func type(
    _ call: Invocation, attribute name: String
  ) throws(CompileError) -> ElementType? {
    let number = try call.requiredInt(name)
    if number == 0 { return nil }
    guard let type = Int32(exactly: number).flatMap(ElementType.init(rawValue:)) else {
      throw call.malformed("there is no element type \(number)")
    }
    return type
  }

  /// The granularities of the scale and, if there is one, of the zero point.
  static func granularities(
    _ call: Invocation
  ) throws(CompileError) -> (scale: Granularity, zeroPoint: Granularity?) {
    let scale = try Granularity(call, parameter: 1)
    return (scale, call.operand(2) == nil ? nil : try Granularity(call, parameter: 2))
  }

  /// Scale and zero point as the registers after x's: operands where they are single numbers, and else constants that
  /// broadcast to x; `nil` where they are of blocks, or differ along an axis and are not known.
  static func formulaParameters(
    _ call: Invocation
  ) throws(CompileError) -> (operandCount: Int, constants: [Tensor])? {
    let (scale, zeroPoint) = try granularities(call)
    let rank = call.shape(0)!.count
    let places = zeroPoint == nil ? 1...1 : 1...2
    if scale == .tensor, zeroPoint ?? .tensor == .tensor {
      guard places.allSatisfy({ call.shape($0)!.count <= rank }) else { return nil }
      return (1 + places.count, [])
    }
    var constants: [Tensor] = []
    for (place, granularity) in zip(places, [scale, zeroPoint]) {
      guard let tensor = call.operand(place)?.constant else { return nil }
      switch granularity {
      case .tensor?: constants.append(Tensor(tensor.floats, shape: []))
      case .axis(let axis)?:
        let ones = [Int](repeating: 1, count: rank - 1 - axis)
        constants.append(Tensor(tensor.floats, shape: [tensor.count] + ones))
      default: return nil
      }
    }
    return (1, constants)
  }

  static func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let shape = call.shape(0),
      let (scale, zeroPoint) = try? granularities(call)
    else { return }
    for axis in shape.indices { relations.equal(.operand(0, axis: axis), .result(axis: axis)) }
    scale.relate(call, parameter: 1, &relations)
    zeroPoint?.relate(call, parameter: 2, &relations)
    // Whole blocks may go, or the same places of every block.
    guard case .blocks(let axis, let size) = scale, let extent = shape[axis].fixedExtent,
      extent % size == 0, extent > 0
    else { return }
    let blocks = AxisReference.operand(1, axis: axis)
    let places = relations.virtualAxis(extent: size)
    relations.split(.operand(0, axis: axis), into: [blocks, places])
    if case .blocks? = zeroPoint { relations.equal(.operand(2, axis: axis), blocks) }
  }

  static func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard case .blocks(let axis, _) = try Granularity(call, parameter: 1),
      let kept = cut[.operand(0, axis: axis)],
      let blocks = cut[.operand(1, axis: axis)]?.count ?? call.shape(1)?[axis].fixedExtent,
      blocks > 0
    else { return [] }
    let size = kept.count / blocks
    return size == call.int("block_size") ? [] : [.attribute(Attribute("block_size", size))]
  }
}
