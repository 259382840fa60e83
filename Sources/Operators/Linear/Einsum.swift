import PrunecGraphIR
import PrunecTensors

/// Einsum (ONNX opset 12 to 28): products of elements of the operands, summed as `equation` says. Axes
/// of one letter go together; those that the result lacks are summed over. `bij,bjk->bik` is a matrix
/// product. An ellipsis stands for axes that broadcast; extents of one are stretched.
///
/// Channels: axes of one letter go together. A letter that occurs twice in an operand takes its
/// diagonal and is pinned.
struct Einsum: Operator {
  let signature = Signature(
    "Einsum", opsets: 12...28, operands: 1...Int.max, attributes: ["equation": nil])

  private typealias Label = EinsumEquation.Label

  private func labels(_ call: Invocation) throws(CompileError) -> EinsumEquation.Labels? {
    try EinsumEquation(call).labels(ranks: call.operands.map { $0?.rank }, call)
  }

  /// The extent of every label.
  private func extents(
    _ labels: EinsumEquation.Labels, _ call: Invocation
  ) throws(CompileError) -> [Label: Dimension] {
    var extents: [Label: Dimension] = [:]
    for (operand, labels) in labels.operands.enumerated() {
      let shape = call.shape(operand) ?? labels.map { _ in .unknown }
      for (label, dimension) in zip(labels, shape) {
        guard let other = extents[label] else {
          extents[label] = Dimension(dimension.extent)
          continue
        }
        extents[label] = try Broadcasting.shape(of: [[other], [dimension]], call)![0]
      }
    }
    return extents
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try call.commonElementType(call.operands.indices)
    guard let labels = try labels(call) else { return [ValueFacts(type, nil)] }
    let extents = try extents(labels, call)
    return [ValueFacts(type, labels.result.map { extents[$0]! })]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    let shapes = call.operands.compactMap { $0?.fixedExtents }
    guard shapes.count == call.operands.count, let labels = (try? labels(call)) ?? nil,
      let extents = try? extents(labels, call).mapValues(\.fixedExtent)
    else { return }
    var axes: [Label: AxisReference] = [:]
    for (axis, label) in labels.result.enumerated() { axes[label] = .result(axis: axis) }
    for (operand, own) in labels.operands.enumerated() {
      for (axis, label) in own.enumerated() {
        let reference = AxisReference.operand(operand, axis: axis)
        // An axis that is stretched asks for nothing; one that might be keeps the others as they are.
        if let extent = shapes[operand][axis], extent != extents[label] { continue }
        let other = axes[label] ?? reference
        axes[label] = other
        if shapes[operand][axis] == nil {
          relations.pin(other, because: "an operand's extent is not known")
        } else if own.firstIndex(of: label) != own.lastIndex(of: label) {
          relations.pin(other, because: "the diagonal is taken")
        }
        if other != reference { relations.equal(reference, other) }
        if !labels.result.contains(label) { relations.sum(over: reference) }
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    guard let labels = try labels(resolved) else {
      throw call.unsupported("what the ellipsis stands for is not in the result")
    }
    let extents = try extents(labels, resolved).mapValues { $0.fixedExtent! }
    let shape = resolved.results[0].fixedShape!
    var terms: [EinsumTerm] = []
    for index in operands.indices {
      let tensor = try call.tensor(index, of: operands)
      guard tensor.elementType.isFloatingPoint || tensor.elementType.isInteger else {
        throw call.unsupported("Einsum of \(tensor.elementType.name) is not evaluated")
      }
      if tensor.count == 0 { return [Tensor(zeros: tensor.elementType, shape: shape)] }
      terms.append(EinsumTerm(tensor, labels.operands[index], extents))
    }
    var product = terms[0]
    for index in terms.indices.dropFirst() {
      let needed = Set(labels.result + terms[(index + 1)...].flatMap(\.labels))
      product = try product.multiplied(by: terms[index], keeping: needed, call)
    }
    product = try product.multiplied(
      by: EinsumTerm.one(product.tensor.elementType), keeping: Set(labels.result), call)
    return [product.ordered(labels.result).reshaped(shape)]
  }

  func macs(_ call: Invocation) -> Int {
    guard let labels = (try? labels(call)) ?? nil, let extents = try? extents(labels, call) else {
      return 0
    }
    return extents.values.reduce(1) { $0 &* $1.nominalExtent }
  }
}

extension Einsum: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard call.elementType(0)!.isFloatingPoint, let labels = try labels(call),
      labels.operands.allSatisfy({ Set($0).count == $0.count })
    else { return nil }
    let extents = try extents(labels, call).mapValues { $0.fixedExtent! }
    // Neither stretched nor empty.
    for (operand, labels) in labels.operands.enumerated() {
      guard labels.map({ extents[$0]! }) == call.operand(operand)!.fixedShape!,
        labels.allSatisfy({ extents[$0]! > 0 })
      else { return nil }
    }
    let result = labels.result
    if labels.operands.count == 1, labels.operands[0].count == result.count {
      return .views([[.permute(result.map { labels.operands[0].firstIndex(of: $0)! })]])
    }
    guard labels.operands.count == 2 else { return nil }
    let (left, right) = (labels.operands[0], labels.operands[1])
    let shared = left.filter { right.contains($0) }
    let (stacks, inner) = (
      shared.filter { result.contains($0) }, shared.filter { !result.contains($0) }
    )
    let (rows, columns) = (
      left.filter { !shared.contains($0) }, right.filter { !shared.contains($0) }
    )
    guard (rows + columns).allSatisfy({ result.contains($0) }) else { return nil }
    func axes(_ own: [Label], outer: [Label]) -> ContractionComputation.Axes {
      func places(_ labels: [Label]) -> [Int] { labels.map { own.firstIndex(of: $0)! } }
      return (places(stacks), places(outer), places(inner))
    }
    let all = stacks + rows + columns
    return .contraction(
      ContractionComputation(
        left: axes(left, outer: rows), right: axes(right, outer: columns),
        order: result.map { all.firstIndex(of: $0)! }))
  }
}

/// A factor of an Einsum, with a label for every axis, each once.
private struct EinsumTerm {
  typealias Label = EinsumEquation.Label

  var tensor: Tensor
  var labels: [Label]

  init(_ tensor: Tensor, labels: [Label]) {
    self.tensor = tensor
    self.labels = labels
  }

  /// An operand without its axes that are stretched, and of which the diagonal is taken where a label
  /// occurs twice.
  init(_ operand: Tensor, _ operandLabels: [Label], _ extents: [Label: Int]) {
    let own = operand.shape.rowMajorStrides
    var strides: [Label: Int] = [:]
    labels = []
    for (axis, label) in operandLabels.enumerated()
    where operand.shape[axis] == extents[label]! {
      if strides[label] == nil { labels.append(label) }
      strides[label, default: 0] += own[axis]
    }
    tensor = operand.strided(
      shape: labels.map { extents[$0]! }, strides: labels.map { strides[$0]! })
  }

  /// The factor that changes nothing.
  static func one(_ type: ElementType) -> EinsumTerm {
    let one =
      type.isFloatingPoint
      ? Tensor(rounding: [Float(1)], to: type, shape: [])
      : Tensor(wrapping: [1], to: type, shape: [])
    return EinsumTerm(one, labels: [])
  }

  /// The axes in another order, which lists each.
  func ordered(_ order: [Label]) -> Tensor {
    tensor.transposed(order.compactMap { labels.firstIndex(of: $0) })
  }

  private func extent(_ labels: [Label]) -> Int {
    labels.reduce(1) { $0 * tensor.shape[self.labels.firstIndex(of: $1)!] }
  }

  /// The product with another factor, summed over all labels but those to keep.
  func multiplied(
    by other: EinsumTerm, keeping kept: Set<Label>, _ call: Invocation
  ) throws(CompileError) -> EinsumTerm {
    let (a, b) = (
      try summed(labels.filter { !kept.contains($0) && !other.labels.contains($0) }, call),
      try other.summed(other.labels.filter { !kept.contains($0) && !labels.contains($0) }, call)
    )
    let shared = a.labels.filter { b.labels.contains($0) }
    let (batch, inner) = (shared.filter { kept.contains($0) }, shared.filter { !kept.contains($0) })
    let rows = a.labels.filter { !shared.contains($0) }
    let columns = b.labels.filter { !shared.contains($0) }
    let left = a.ordered(batch + rows + inner)
      .reshaped([a.extent(batch), a.extent(rows), a.extent(inner)])
    let right = b.ordered(batch + inner + columns)
      .reshaped([b.extent(batch), b.extent(inner), b.extent(columns)])
    let count = [a.extent(batch), a.extent(rows), b.extent(columns)].checkedElementCount
    guard let count, count < 1 << 27 else {
      throw call.unsupported("a product on the way is too large to compute")
    }
    let product = MatMul.product(left, right)
    let extents = batch.map { a.extent([$0]) } + rows.map { a.extent([$0]) }
    return EinsumTerm(
      product.reshaped(extents + columns.map { b.extent([$0]) }), labels: batch + rows + columns)
  }

  /// The sum over some labels: a product with ones.
  private func summed(_ summed: [Label], _ call: Invocation) throws(CompileError) -> EinsumTerm {
    guard !summed.isEmpty else { return self }
    let rest = labels.filter { !summed.contains($0) }
    let rows = ordered(rest + summed).reshaped([extent(rest), extent(summed)])
    let ones = Tensor(repeating: Self.one(tensor.elementType).tensor, shape: [extent(summed), 1])
    return EinsumTerm(
      MatMul.product(rows, ones).reshaped(rest.map { extent([$0]) }), labels: rest)
  }
}
