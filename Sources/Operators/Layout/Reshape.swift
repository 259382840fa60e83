import PrunecGraphIR
import PrunecTensors

/// Reshape (ONNX opset 7 to 28): the elements of `data` in order, under the extents that `shape`
/// lists. An entry of 0 copies the extent of the same axis (unless `allowzero`), and one entry of -1
/// takes what is left.
///
/// Channels: where one axis is taken apart or several are merged, the whole is the row-major product
/// of the parts (`[N, 768]` and `[N, 12, 64]`). Entries of the target that are known as numbers are
/// rewritten; an axis whose entry is not known is pinned.
struct Reshape: Operator {
  let signature = Signature("Reshape", operands: 2...2, attributes: ["allowzero": .int(0)])

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    try call.requireIntegerList(1)
    guard let target = call.operand(1)?.integers else {
      return [ValueFacts(type, call.unknownExtents(countedByOperand: 1))]
    }
    let shape = try resolve(target, call)
    let contents = call.operand(0)?.contents(under: shape) ?? .unknown
    return [ValueFacts(type, shape, contents: contents)]
  }

  private func copies(_ call: Invocation) -> Bool { call.int("allowzero") != 1 }

  /// The axes whose entry says that the extent is that of the same axis of the operand.
  private func copiedAxes(_ target: [SymbolicInteger], _ call: Invocation) -> Set<Int> {
    copies(call) ? Set(target.indices.filter { target[$0] == .fixed(0) }) : []
  }

  private func resolve(
    _ target: [SymbolicInteger], _ call: Invocation
  ) throws(CompileError) -> [Dimension] {
    let input = call.shape(0)
    let copied = copiedAxes(target, call)
    var shape: [Dimension] = []
    var deduced: Int?
    for (axis, entry) in target.enumerated() {
      switch entry {
      case .fixed(0) where copied.contains(axis):
        guard let input else {
          shape.append(.unknown)
          continue
        }
        guard axis < input.count else {
          throw call.malformed("the target copies axis \(axis) of \(input.count) axes")
        }
        shape.append(Dimension(input[axis].extent))
      case .fixed(-1):
        guard deduced == nil else { throw call.malformed("the target has two entries of -1") }
        deduced = axis
        shape.append(.unknown)
      case .fixed(let extent) where extent < 0:
        throw call.malformed("the target has an entry of \(extent)")
      default: shape.append(Dimension(entry))
      }
    }
    if deduced != nil, !copies(call), target.contains(.fixed(0)) {
      throw call.malformed("with allowzero, the target has both 0 and -1")
    }
    guard let input else { return shape }
    // Nothing divides nothing: any extent would do.
    if deduced != nil, copied.contains(where: { shape[$0] == .fixed(0) }) {
      throw call.malformed("the target has -1 beside an extent of 0")
    }

    var whole = ExtentProduct()
    var rest = ExtentProduct()
    for axis in input.indices where !copied.contains(axis) {
      whole.multiply(by: input[axis].extent)
    }
    for axis in shape.indices where !copied.contains(axis) && axis != deduced {
      rest.multiply(by: shape[axis].extent)
    }
    whole.cancelSymbols(with: &rest)
    // Without -1, an only entry that is not known is what is left all the same.
    let unknownAxes = shape.indices.filter { shape[$0] == .unknown && !copied.contains($0) }
    if deduced == nil, rest.symbols.isEmpty, unknownAxes.count == 1 {
      if whole.isNumber, let total = whole.number, let part = rest.number, part > 0,
        total % part == 0
      {
        shape[unknownAxes[0]] = .fixed(total / part)
      }
      return shape
    }
    guard rest.isNumber else { return shape }
    let isMismatch = CompileError(
      .malformed,
      "\(Self.describe(input)) elements do not fit the target \(Self.describe(shape))",
      at: call.location)
    if whole.isNumber {
      guard let total = whole.number else { return shape }
      guard let part = rest.number else { throw isMismatch }
      if let deduced {
        guard part > 0, total % part == 0 else { throw isMismatch }
        shape[deduced] = .fixed(total / part)
      } else if total != part, !copied.contains(where: { shape[$0] == .fixed(0) }) {
        throw isMismatch
      }
    } else if let deduced, let symbol = whole.onlySymbol, whole.number == rest.number,
      let number = rest.number, number > 0
    {
      shape[deduced] = .symbol(symbol)
    }
    return shape
  }

  private static func describe(_ shape: [Dimension]) -> String {
    let extents = shape.map { dimension in
      switch dimension.extent {
      case .fixed(let extent): "\(extent)"
      case .symbol(let symbol): symbol
      case .unknown: "?"
      }
    }
    return "[" + extents.joined(separator: ", ") + "]"
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let input = call.shape(0), let output = call.results.first?.shape else { return }
    let target = call.operand(1)?.integers.flatMap { $0.count == output.count ? $0 : nil }
    let copied = target.map { copiedAxes($0, call) } ?? []
    AxisFactoring(operand: input, result: output, copied: copied).relate(&relations)
    for axis in output.indices where target?[axis].number == nil {
      relations.pin(.result(axis: axis), because: "its extent is computed")
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let target = call.operand(1)?.integers, let input = call.shape(0),
      let output = call.results.first?.shape, output.count == target.count
    else { return [] }
    var entries: [Int: Int] = [:]
    for axis in output.indices {
      guard let extent = cut[.result(axis: axis)]?.count ?? output[axis].fixedExtent,
        let entry = target[axis].number, entry != -1
      else { continue }
      if entry == 0, copies(call) {
        let source = cut[.operand(0, axis: axis)]?.count ?? input[axis].fixedExtent
        if source == extent { continue }
      }
      entries[axis] = extent
    }
    return call.adaptations(entries, ofOperand: 1)
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let data = try call.tensor(0, of: operands)
    let shape = resolved.results[0].fixedShape!
    guard shape.elementCount == data.count else {
      throw call.malformed("\(data.count) elements do not fit \(shape)")
    }
    return [data.reshaped(shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Reshape: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    .reshape(call)
  }
}
