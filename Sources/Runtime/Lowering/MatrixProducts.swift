import CPrunecKernels
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// Products of matrices, and of stacks of them.
extension Planner {
  mutating func lowerMatrixProduct(
    _ id: NodeID, _ form: MatrixComputation
  ) throws(CompileError) -> Bool {
    guard let operands = try operandViews(id), var a = operands[0], var b = operands[1],
      let output = graph[id].outputs[0]
    else { return false }
    let factorsAreRows = (a.shape.count == 1, b.shape.count == 1)
    if factorsAreRows.0 { a = a.applying(.reshape([1] + a.shape))! }
    if factorsAreRows.1 {
      (b.shape, b.strides) = (b.shape + [1], b.strides + [1])
    }
    if form.transposesA { a = a.transposingMatrices }
    if form.transposesB { b = b.transposingMatrices }
    let extentK = a.shape.last!
    guard extentK > 0, !a.shape.contains(0), !b.shape.contains(0) else { return false }
    let shape = shape(of: output)
    let batch = Array(
      shape.dropLast((factorsAreRows.0 ? 0 : 1) + (factorsAreRows.1 ? 0 : 1)))
    // The terms that are added.
    var biases: [Float]?
    if operands.count > 2, let c = operands[2], form.beta != 0 {
      guard c.shape.dropLast().allSatisfy({ $0 == 1 }), facts.isFixed(graph[id].inputs[2]!)
      else { return false }
      let numbers = try weights.tensor(graph[id].inputs[2]!).floats.map { $0 * form.beta }
      let count = b.shape.last!
      biases = numbers.count == count ? numbers : [Float](repeating: numbers[0], count: count)
    }

    let hasPlainShape = !factorsAreRows.0 && !factorsAreRows.1
    let isConstant = facts.isFixed(graph[id].inputs[1]!)
    var epilogue = Epilogue(output: output, biases: biases)
    if hasPlainShape {
      // The matrices of a stack would each need factors and biases of their own.
      let isStack = b.shape.dropLast(2).contains { $0 != 1 }
      epilogue = try self.epilogue(
        of: output, channelAxis: shape.count - 1, biases: biases,
        isFoldable: isConstant && !isStack)
    }

    // K has to be adjacent in A.
    if a.strides.last! != 1, extentK != 1 { a = dense(a, order: Array(a.shape.indices), for: id) }
    let full = batch + [a.shape[a.shape.count - 2], b.shape.last!]
    var addend = addendView(epilogue)
    let placed = result(epilogue.output)
    absorbed.formUnion(epilogue.nodes)
    guard let y = placed.applying(.reshape(full)) else { return false }
    addend = addend.flatMap { $0.applying(.reshape(full)) }
    try addMatrixProduct(
      id, form, a.broadcast(to: batch + a.shape.suffix(2)), b, batch, epilogue, addend, y,
      isConstant: isConstant)
    return true
  }

  /// Adds the products of matrices `[M, K]` along the axes of `batch`, to which those of B broadcast. A constant B is a
  /// view of operand 1 as it is stored.
  mutating func addMatrixProduct(
    _ id: NodeID, _ form: MatrixComputation, _ a: View, _ b: View, _ batch: [Int],
    _ epilogue: Epilogue, _ addend: View?, _ y: View, isConstant: Bool
  ) throws(CompileError) {
    let rank = batch.count
    let isShared = b.shape.dropLast(2).allSatisfy { $0 == 1 }
    let wideB = b.broadcast(to: batch + b.shape.suffix(2))
    // The axes that rows of A and Y run over, and the stacks, for which B differs.
    func columnFree(_ view: View) -> View {
      var view = view
      view.shape[rank + 1] = 1
      return view
    }
    let views = [columnFree(a), columnFree(y)] + (addend.map { [columnFree($0)] } ?? [])
    var loops = Loops(views, axes: Array(0..<(isShared ? rank + 1 : rank)))
    var strideB: [Int] = []
    var a = a
    if !isShared {
      let rowsOfB = wideB.selectingFirstOfLastTwo
      loops = Loops(
        views.map(\.selectingFirstOfLastTwo) + [rowsOfB], axes: Array(0..<rank))
      strideB = loops.strides.removeLast()
    }
    let limit = isShared ? 3 : 2
    if loops.rank > limit {
      a = dense(a, order: Array(a.shape.indices), for: id)
      return try addMatrixProductByPart(
        id, form, a, isShared ? b.matrix : wideB, epilogue, addend, y, isConstant && isShared)
    }
    var product = prunec_product(
      inChannels: a.shape[rank + 1], outChannels: y.shape[rank + 1])
    var stackStrides = (batch: 0, group: 0)
    let strides = { (loop: Int) in loops.strides.map { $0[loop] } }
    if isShared {
      // From the innermost loop outwards: pixels of a row, rows, batch items.
      for (level, loop) in (0..<loops.rank).reversed().enumerated() {
        let (extent, own) = (loops.shape[loop], strides(loop))
        switch level {
        case 0:
          (product.in_width, product.out_width) = (extent, extent)
          (product.x_pixel, product.y_pixel) = (own[0], own[1])
          if addend != nil { product.addend_pixel = own[2] }
        case 1:
          (product.in_height, product.out_height) = (extent, extent)
          (product.x_row, product.y_row) = (own[0], own[1])
          if addend != nil { product.addend_row = own[2] }
        default:
          product.batch = extent
          (product.x_batch, product.y_batch) = (own[0], own[1])
          if addend != nil { product.addend_batch = own[2] }
        }
      }
    } else {
      (product.in_width, product.out_width) = (a.shape[rank], a.shape[rank])
      (product.x_pixel, product.y_pixel) = (a.strides[rank], y.strides[rank])
      if let addend { product.addend_pixel = addend.strides[rank] }
      for (level, loop) in (0..<loops.rank).reversed().enumerated() {
        let (extent, own) = (loops.shape[loop], strides(loop))
        if level == 0 {
          product.groups = extent
          (product.x_group, product.y_group) = (own[0], own[1])
          if addend != nil { product.addend_group = own[2] }
          stackStrides.group = strideB[loop]
        } else {
          product.batch = extent
          (product.x_batch, product.y_batch) = (own[0], own[1])
          if addend != nil { product.addend_batch = own[2] }
          stackStrides.batch = strideB[loop]
        }
      }
    }

    var packing = prunec_packing()
    packing.batch = stackStrides.batch == 0 ? 1 : product.batch
    packing.groups = stackStrides.group == 0 ? 1 : product.groups
    packing.w_batch = stackStrides.batch
    packing.w_group = stackStrides.group
    packing.out_channels = product.out_channels
    packing.in_channels = product.in_channels
    (packing.kernel_height, packing.kernel_width) = (1, 1)
    packing.output = wideB.strides[rank + 1]
    packing.input = wideB.strides[rank]
    packing.scale = form.alpha
    let size = Kernels.packedSize(packing)
    product.weights_group = stackStrides.group == 0 ? 0 : size
    product.weights_batch = stackStrides.batch == 0 ? 0 : size * packing.groups

    let nodes = [id] + epilogue.nodes
    if isConstant {
      let packed = weights.packed(
        .init(node: id, part: 0, result: epilogue.output), packing,
        of: graph[id].inputs[1]!, offset: b.offset, factors: epilogue.factors,
        biases: epilogue.biases)
      addProduct(
        nodes, "matrix product", product, x: a, weights: .constant(packed), epilogue: epilogue,
        addend: addend, y: y)
      return
    }
    let packed = newView(.float32, [size * packing.groups * packing.batch])
    let form = packing
    steps.append(
      Step([id], "packing", reads: [b.buffer], writes: [packed.buffer]) { memory in
        var packing = form
        packing.w = UnsafePointer(memory.floats(wideB))
        packing.packed = memory.floats(packed)
        return .kernel(
          KernelCall(
            packing, units: Kernels.table.pointee.packing_units, Kernels.table.pointee.packing))
      })
    addProduct(
      nodes, "matrix product", product, x: a,
      weights: .view(packed, biases: epilogue.biases.map(PackedWeights.storage)),
      epilogue: epilogue, addend: addend, y: y)
  }

  /// One product for each index of the outermost axis of a stack that the kernel's loops do not cover. B is a stack too, or
  /// the matrix of all of them.
  private mutating func addMatrixProductByPart(
    _ id: NodeID, _ form: MatrixComputation, _ a: View, _ b: View, _ epilogue: Epilogue,
    _ addend: View?, _ y: View, _ isConstant: Bool
  ) throws(CompileError) {
    for index in 0..<a.shape[0] {
      try addMatrixProduct(
        id, form, a.part(index), b.shape.count == 2 ? b : b.part(index),
        Array(a.shape[1..<(a.shape.count - 2)]), epilogue,
        addend?.part(index), y.part(index), isConstant: isConstant)
    }
  }
}

extension View {
  /// The view with its last two axes exchanged.
  fileprivate var transposingMatrices: View {
    var view = self
    let last = shape.count - 1
    view.shape.swapAt(last, last - 1)
    view.strides.swapAt(last, last - 1)
    return view
  }

  /// The one matrix of a stack.
  fileprivate var matrix: View {
    var view = self
    view.shape = shape.suffix(2)
    view.strides = strides.suffix(2)
    return view
  }

  fileprivate var selectingFirstOfLastTwo: View {
    var view = self
    view.shape[shape.count - 2] = 1
    view.shape[shape.count - 1] = 1
    return view
  }

  /// Index `index` of the first axis.
  fileprivate func part(_ index: Int) -> View {
    var view = self
    view.offset += index * strides[0]
    view.shape.removeFirst()
    view.strides.removeFirst()
    return view
  }
}
