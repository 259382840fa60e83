import CPrunecKernels
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// Softmax, normalizations and reductions.
extension Planner {
  /// The view, or a copy of it, with adjacent elements along `axis`.
  private mutating func innermost(_ view: View, axis: Int, for id: NodeID) -> View {
    if view.strides[axis] == 1 || view.shape[axis] == 1 { return view }
    return dense(view, order: view.order.filter { $0 != axis } + [axis], for: id)
  }

  mutating func lowerSoftmax(
    _ id: NodeID, axis: Int, isLogarithm: Bool
  ) throws(CompileError) -> Bool {
    guard let operand = try operandViews(id)?[0], let output = graph[id].outputs[0] else {
      return false
    }
    let x = innermost(operand, axis: axis, for: id)
    let y = result(output, order: x.order.filter { $0 != axis } + [axis])
    let loops = Loops([x, y], axes: y.order.filter { $0 != axis })
    guard loops.rank <= Int(prunec_max_rank) else { return false }
    var softmax = prunec_softmax()
    softmax.is_logarithm = isLogarithm
    softmax.rank = loops.rank
    fill(&softmax.shape, loops.shape)
    softmax.length = x.shape[axis]
    fill(&softmax.x_strides, loops.strides[0])
    fill(&softmax.y_strides, loops.strides[1])
    let arguments = softmax
    var step = Step(
      [id], "softmax", reads: [x.buffer], writes: [y.buffer],
      operations: 4 * y.shape.elementCount
    ) { memory in
      var softmax = arguments
      softmax.x = UnsafePointer(memory.floats(x))
      softmax.y = memory.floats(y)
      return .kernel(
        KernelCall(
          softmax, units: Kernels.table.pointee.softmax_units, Kernels.table.pointee.softmax))
    }
    if x.strides == y.strides { step.replaceable = [(x, y)] }
    steps.append(step)
    return true
  }

  mutating func lowerNormalization(
    _ id: NodeID, _ normalization: NormalizationComputation
  ) throws(CompileError) -> Bool {
    guard let views = try operandViews(id), let x = views[0] else { return false }
    switch normalization.statistics {
    case .trailing(let axis, let keepsMean):
      return try lowerRows(id, normalization, x, views, axis: axis, keepsMean: keepsMean)
    case .groups(let groups):
      return try lowerGroups(id, normalization, x, views, groups: groups)
    case .given:
      guard let (factors, addends) = try affine(id, normalization),
        let output = graph[id].outputs[0]
      else { return false }
      return try lowerAffine(id, factors, addends, output)
    }
  }

  /// A factor and an addend for each channel, with the element-wise operators that follow.
  private mutating func lowerAffine(
    _ id: NodeID, _ factors: [Float], _ addends: [Float], _ output: ValueID
  ) throws(CompileError) -> Bool {
    let shape = [factors.count] + [Int](repeating: 1, count: self.shape(of: output).count - 2)
    let formula = ElementwiseFormula(
      operandCount: 1,
      constants: [Tensor(factors, shape: shape), Tensor(addends, shape: shape)],
      [.init(.multiply, [0, 1]), .init(.add, [3, 2])])
    return try lowerElementwise(id, formula)
  }

  /// A whole row of fixed numbers; `nil` where an operand is not that.
  private mutating func row(
    _ id: NodeID, _ operand: Int?, length: Int
  ) throws(CompileError) -> View?? {
    guard let operand, let value = graph[id].inputs[operand] else { return .some(nil) }
    guard let view = try view(of: value), view.shape.elementCount == length, view.isRowMajor else {
      return nil
    }
    return .some(view)
  }

  private mutating func lowerRows(
    _ id: NodeID, _ normalization: NormalizationComputation, _ operand: View, _ views: [View?],
    axis: Int, keepsMean: Bool
  ) throws(CompileError) -> Bool {
    let rank = operand.shape.count
    let length = operand.shape[axis...].elementCount
    guard length > 0, let output = graph[id].outputs[0],
      let scale = try row(id, normalization.scale, length: length),
      let bias = try row(id, normalization.bias, length: length)
    else { return false }
    let trailing = Array(axis..<rank)
    var x = operand
    let isAdjacent =
      Loops([x], axes: trailing).strides[0].allSatisfy { $0 == 1 }
      && Loops([x], axes: trailing).rank <= 1
    if !isAdjacent { x = dense(x, order: Array(x.shape.indices), for: id) }
    let leading = x.order.filter { $0 < axis }
    let y = result(output, order: leading + trailing)
    let loops = Loops([x, y], axes: leading)
    guard loops.rank <= Int(prunec_max_rank) else { return false }
    var rows = prunec_row_normalization()
    rows.keeps_mean = keepsMean
    rows.epsilon = normalization.epsilon
    rows.rank = loops.rank
    rows.length = length
    fill(&rows.shape, loops.shape)
    fill(&rows.x_strides, loops.strides[0])
    fill(&rows.y_strides, loops.strides[1])
    let arguments = rows
    let source = x
    var step = Step(
      [id], "normalization",
      reads: [x.buffer] + [scale, bias].compactMap { $0?.buffer }, writes: [y.buffer],
      operations: 6 * y.shape.elementCount
    ) { memory in
      var rows = arguments
      rows.x = UnsafePointer(memory.floats(source))
      rows.y = memory.floats(y)
      rows.scale = scale.map { UnsafePointer(memory.floats($0)) }
      rows.bias = bias.map { UnsafePointer(memory.floats($0)) }
      return .kernel(
        KernelCall(
          rows, units: Kernels.table.pointee.row_normalization_units,
          Kernels.table.pointee.row_normalization))
    }
    if x.strides == y.strides { step.replaceable = [(x, y)] }
    steps.append(step)
    return true
  }

  private mutating func lowerGroups(
    _ id: NodeID, _ normalization: NormalizationComputation, _ operand: View, _ views: [View?],
    groups: Int
  ) throws(CompileError) -> Bool {
    let shape = operand.shape
    guard let output = graph[id].outputs[0], shape[1] > 0,
      let scale = try row(id, normalization.scale, length: shape[1]),
      let bias = try row(id, normalization.bias, length: shape[1])
    else { return false }
    var x = channelsLast(operand, for: id)
    let spatial = Array(2..<shape.count)
    if Loops([x], axes: spatial).rank > 1 {
      x = dense(x, order: [0] + spatial + [1], for: id)
    }
    let pixelStride = Loops([x], axes: spatial).strides[0].last ?? shape[1]
    let y = result(output, order: [0] + spatial + [1])
    guard Loops([y], axes: spatial).rank <= 1 else { return false }
    var arguments = prunec_group_normalization()
    arguments.epsilon = normalization.epsilon
    arguments.batch = shape[0]
    arguments.groups = groups
    arguments.channels = shape[1] / groups
    arguments.pixels = shape[2...].elementCount
    arguments.x_batch = x.strides[0]
    arguments.x_pixel = pixelStride
    arguments.y_batch = y.strides[0]
    arguments.y_pixel = Loops([y], axes: spatial).strides[0].last ?? shape[1]
    let (form, source) = (arguments, x)
    var step = Step(
      [id], "group normalization",
      reads: [x.buffer] + [scale, bias].compactMap { $0?.buffer }, writes: [y.buffer],
      operations: 6 * y.shape.elementCount
    ) { memory in
      var arguments = form
      arguments.x = UnsafePointer(memory.floats(source))
      arguments.y = memory.floats(y)
      arguments.scale = scale.map { UnsafePointer(memory.floats($0)) }
      arguments.bias = bias.map { UnsafePointer(memory.floats($0)) }
      return .kernel(
        KernelCall(
          arguments, units: Kernels.table.pointee.group_normalization_units,
          Kernels.table.pointee.group_normalization))
    }
    if x.strides == y.strides { step.replaceable = [(x, y)] }
    steps.append(step)
    return true
  }

  mutating func lowerReduction(
    _ id: NodeID, _ kind: ReductionKind, axes: [Int]
  ) throws(CompileError) -> Bool {
    guard let x = try operandViews(id)?[0], let output = graph[id].outputs[0],
      !x.shape.contains(0)
    else { return false }
    // The result with all axes, those that are reduced being of extent one.
    let wide = x.shape.indices.map { axes.contains($0) ? 1 : x.shape[$0] }
    let hasAllAxes = facts[output].rank == x.shape.count
    let placed = result(output, order: hasAllAxes ? x.order : nil)
    guard let y = placed.applying(.reshape(wide)) else { return false }
    if let banded = banded(x, kind, axes) {
      let sums = newView(
        .float32, [threadCount] + wide, order: [0] + x.order.map { $0 + 1 })
      var total = y
      total.shape.insert(1, at: 0)
      total.strides.insert(0, at: 0)
      return addReduction(id, kind, banded, axes: axes.map { $0 + 1 }, to: sums)
        && addReduction(id, kind, sums, axes: [0], to: total)
    }
    return addReduction(id, kind, x, axes: axes, to: y)
  }

  /// Fewer elements are reduced by all threads across what each of them wrote.
  private static let fewElements = 1 << 15

  /// A view whose outermost axis in memory is reduced as one of so many bands as there are threads, with these as an axis
  /// before the others: each thread reduces what lies together, which it wrote. `nil` where there is no such axis, or
  /// reductions of bands are not to be reduced in the same way.
  private func banded(_ x: View, _ kind: ReductionKind, _ axes: [Int]) -> View? {
    guard threadCount > 1, x.shape.elementCount >= Self.fewElements,
      let axis = x.order.first(where: { x.shape[$0] != 1 }), axes.contains(axis),
      x.shape[axis] % threadCount == 0
    else { return nil }
    switch kind {
    case .sum, .mean, .maximum, .minimum, .product: break
    case .sumOfSquares, .l1, .l2: return nil
    }
    var view = x
    let size = x.shape[axis] / threadCount
    view.shape[axis] = size
    view.shape.insert(threadCount, at: 0)
    view.strides.insert(x.strides[axis] * size, at: 0)
    return view
  }

  /// Adds a reduction to `y`, whose extents along `axes` are one; `false` where there are too many axes.
  private mutating func addReduction(
    _ id: NodeID, _ kind: ReductionKind, _ x: View, axes: [Int], to y: View
  ) -> Bool {
    let kept = x.order.filter { !axes.contains($0) }
    let reduced = x.order.filter { axes.contains($0) }
    var keptX = x
    for axis in axes { keptX.shape[axis] = 1 }
    let outer = Loops([keptX, y], axes: kept)
    let inner = Loops([x], axes: reduced)
    guard max(outer.rank, inner.rank) <= Int(prunec_max_rank) else { return false }
    var arguments = prunec_reduction()
    arguments.kind =
      switch kind {
      case .sum: prunec_reduce_sum
      case .mean: prunec_reduce_mean
      case .maximum: prunec_reduce_maximum
      case .minimum: prunec_reduce_minimum
      case .product: prunec_reduce_product
      case .sumOfSquares: prunec_reduce_sum_of_squares
      case .l1: prunec_reduce_l1
      case .l2: prunec_reduce_l2
      }
    arguments.kept_rank = outer.rank
    arguments.reduced_rank = inner.rank
    fill(&arguments.kept_shape, outer.shape)
    fill(&arguments.reduced_shape, inner.shape)
    fill(&arguments.x_kept, outer.strides[0])
    fill(&arguments.x_reduced, inner.strides[0])
    fill(&arguments.y_strides, outer.strides[1])
    let form = arguments
    steps.append(
      Step(
        [id], "reduction", reads: [x.buffer], writes: [y.buffer],
        operations: x.shape.elementCount
      ) { memory in
        var arguments = form
        arguments.x = UnsafePointer(memory.floats(x))
        arguments.y = memory.floats(y)
        return .kernel(
          KernelCall(
            arguments, units: Kernels.table.pointee.reduction_units,
            Kernels.table.pointee.reduction))
      })
    return true
  }
}

extension ArraySlice<Int> {
  fileprivate var elementCount: Int { reduce(1, *) }
}
