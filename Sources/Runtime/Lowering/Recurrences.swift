import CPrunecKernels
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// Recurrent networks: one product for the inputs of all steps, and for each step a product with the state before and
/// the formulas of the cell.
extension Planner {
  /// More steps than that would take longer to plan than they are worth.
  private static let stepLimit = 1 << 13
  /// Products of the inputs of so many steps are left out together, where all sequences are at their ends.
  private static let conditionalSteps = 24

  private enum Operand {
    static let (x, w, r, b, lengths, hidden, cell) = (0, 1, 2, 3, 4, 5, 6)
  }

  /// One direction of a layer, and where its numbers lie.
  private struct Direction {
    var index: Int
    var node: NodeID
    var gates: Int
    /// `[steps, batch, gates * units]`: what comes from the inputs.
    var inputs: View
    /// `[steps, batch, units]`
    var states: View
    /// `[batch, units]`; the cell is changed in place.
    var initial, cell: View?
    /// `nil` where all sequences are of equal length.
    var ends: Ends?
    /// Whether the states of all steps are asked for.
    var isSequenceUsed: Bool
    var isReverse: Bool
    var biases: [Float]

    var units: Int { states.shape[2] }
  }

  /// Ends of sequences of different lengths.
  private struct Ends {
    /// `[steps, batch, 1]`: one where a sequence goes on, and else zero.
    var isInside: View
    /// `[steps]`: one where any does.
    var isAnyInside: View
    /// `[directions, 1, batch, units]`: the states, which stay behind the end.
    var state: View
  }

  mutating func lowerRecurrence(
    _ id: NodeID, _ recurrence: RecurrenceComputation
  ) throws(CompileError) -> Bool {
    let (operands, results) = (graph[id].inputs, graph[id].outputs)
    guard let views = try operandViews(id), let given = views[Operand.x],
      operands.count <= Operand.b || operands[Operand.b].map(facts.isFixed) ?? true,
      facts.isFixed(operands[Operand.w]!), facts.isFixed(operands[Operand.r]!)
    else { return false }
    let x = recurrence.isBatchFirst ? given.applying(.permute([1, 0, 2]))! : given
    let recurrent = try weights.tensor(operands[Operand.r]!)
    let (steps, batch, inputCount) = (x.shape[0], x.shape[1], x.shape[2])
    let (count, rows, units) = (recurrent.shape[0], recurrent.shape[1], recurrent.shape[2])
    guard steps > 0, batch > 0, inputCount > 0, units > 0, steps * count <= Self.stepLimit else {
      return false
    }
    let numbers =
      try fixedNumbers(id, operand: Operand.b).flatMap { $0 }
      ?? [Float](repeating: 0, count: 2 * count * rows)
    let source = x.strides[2] == 1 ? x : dense(x, order: [0, 1, 2], for: id)

    func operand(_ index: Int) -> View? { index < views.count ? views[index] : nil }
    /// A state `[directions, batch, units]` or `[batch, directions, units]` as `[batch, units]`.
    func part(_ state: View, _ direction: Int) -> View {
      state.part(direction, ofAxis: recurrence.isBatchFirst ? 1 : 0)
    }
    let isUsed = results.map { $0.map { !graph[$0].uses.isEmpty } ?? false }
    let state =
      recurrence.isBatchFirst ? [batch, count, units] : [count, batch, units]
    let all =
      recurrence.isBatchFirst ? [batch, steps, count, units] : [steps, count, batch, units]
    let ends = operand(Operand.lengths).map { lengths in
      addEnds(id, lengths, steps: steps, directions: count, units: units)
    }
    let y = isUsed[0] ? result(results[0]!) : newView(.float32, all)
    // Steps that are left out leave zeros.
    if ends != nil, isUsed[0] { addFill(id, y, with: 0) }
    var cell: View?
    if case .longShortTermMemory = recurrence.cell {
      let place = isUsed.count > 2 && isUsed[2] ? result(results[2]!) : newView(.float32, state)
      if let initial = operand(Operand.cell) {
        addCopy(id, from: initial, to: place)
      } else {
        addFill(id, place, with: 0)
      }
      cell = place
    }
    for (index, isReverse) in recurrence.directions.enumerated() {
      let states = y.part(index, ofAxis: recurrence.isBatchFirst ? 2 : 1)
      let inputs = newView(.float32, [steps, batch, rows])
      try addInputs(
        id, index, source, to: inputs,
        biases: Array(numbers[(2 * index * rows)..<((2 * index + 1) * rows)]), ends)
      try addSteps(
        Direction(
          index: index, node: id, gates: rows / units, inputs: inputs,
          states: recurrence.isBatchFirst ? states.applying(.permute([1, 0, 2]))! : states,
          initial: operand(Operand.hidden).map { part($0, index) },
          cell: cell.map { part($0, index) }, ends: ends, isSequenceUsed: isUsed[0],
          isReverse: isReverse,
          biases: Array(numbers[((2 * index + 1) * rows)..<((2 * index + 2) * rows)])),
        recurrence.cell)
    }
    if isUsed.count > 1, isUsed[1] {
      let final = result(results[1]!)
      for (index, isReverse) in recurrence.directions.enumerated() {
        let states = y.part(index, ofAxis: recurrence.isBatchFirst ? 2 : 1)
        let last = states.part(isReverse ? 0 : steps - 1, ofAxis: recurrence.isBatchFirst ? 1 : 0)
        let state = ends.map { $0.state.part(index, ofAxis: 0).part(0, ofAxis: 0) } ?? last
        addFinal(id, state, to: part(final, index), ends)
      }
    }
    if let cell, let ends, isUsed.count > 2, isUsed[2] {
      for index in 0..<count { addFinal(id, part(cell, index), to: part(cell, index), ends) }
    }
    return true
  }

  /// Checks the lengths, and says for each step whether sequences are not at their end.
  private mutating func addEnds(
    _ id: NodeID, _ lengths: View, steps count: Int, directions: Int, units: Int
  ) -> Ends {
    let location = graph.location(of: id)
    let batch = lengths.shape[0]
    let isInside = newView(.float32, [count, batch, 1])
    let isAnyInside = newView(.float32, [count])
    steps.append(
      Step(
        [id], "lengths", reads: [lengths.buffer], writes: [isInside.buffer, isAnyInside.buffer]
      ) { memory in
        .preparation(
          { (memory) throws(CompileError) in
            let (target, any) = (memory.floats(isInside), memory.floats(isAnyInside))
            let lengths = memory.tensor(lengths, as: .int32).integers
            guard lengths.allSatisfy({ (0...count).contains($0) }) else {
              throw CompileError(
                .malformed, "a sequence is longer than \(count) steps", at: location)
            }
            for step in 0..<count {
              any[step] = 0
              for (n, length) in lengths.enumerated() {
                target[step * batch + n] = step < length ? 1 : 0
                if step < length { any[step] = 1 }
              }
            }
          }, memory)
      })
    return Ends(
      isInside: isInside, isAnyInside: isAnyInside,
      state: newView(.float32, [directions, 1, batch, units]))
  }

  /// Leaves the steps from number `start` on out, when the plan is run, where a view of one number holds zero.
  private mutating func makeConditional(from start: Int, on condition: View) {
    for index in start..<steps.count {
      let step = steps[index]
      var conditional = Step(
        step.nodes, step.kernel, reads: step.reads + [condition.buffer], writes: step.writes,
        operations: step.operations
      ) { memory throws(CompileError) in
        guard case .kernel(let call) = try step.bind(memory) else {
          preconditionFailure("only kernels are left out")
        }
        return .conditional(call, condition: UnsafePointer(memory.floats(condition)))
      }
      conditional.replaceable = step.replaceable
      steps[index] = conditional
    }
  }

  /// Makes a final state `[batch, units]` of the last one: that of a sequence without a step is zero.
  private mutating func addFinal(
    _ id: NodeID, _ state: View, to result: View, _ ends: Ends?
  ) {
    guard let ends else { return addCopy(id, from: state, to: result) }
    let mask = ends.isInside.part(0, ofAxis: 0).broadcast(to: result.shape)
    let isAdded = addProgram(
      [id], [.init(.number(0), []), .init(.select, [0, 1, 2])], [mask, state], result)
    precondition(isAdded, "two axes are not too many for a program")
  }

  /// Adds the last program of a step, which makes a new state of the one before, operand `before`. Where a sequence is at
  /// its end the state stays.
  private mutating func addState(
    _ id: NodeID, _ instructions: [ElementwiseFormula.Instruction], _ operands: [View],
    before: Int, isInside: View?, _ result: View
  ) -> Bool {
    guard let isInside else { return addProgram([id], instructions, operands, result) }
    let count = operands.count
    // The mask is one operand more, so that results have registers one further.
    var masked = instructions.map { instruction in
      ElementwiseFormula.Instruction(
        instruction.operation, instruction.registers.map { $0 < count ? $0 : $0 + 1 })
    }
    let last = instructions.isEmpty ? 0 : count + instructions.count
    masked.append(.init(.select, [count, last, before]))
    return addProgram(
      [id], masked, operands + [isInside.broadcast(to: result.shape)], result)
  }

  /// `X W' + b` for all steps, or those in which a sequence goes on.
  private mutating func addInputs(
    _ id: NodeID, _ direction: Int, _ x: View, to y: View, biases: [Float], _ ends: Ends?
  ) throws(CompileError) {
    let size = ends == nil ? x.shape[0] : Self.conditionalSteps
    for start in stride(from: 0, to: x.shape[0], by: size) {
      let steps = start..<min(start + size, x.shape[0])
      let first = self.steps.count
      try addStateProduct(
        id, part: 4 * direction, operand: Operand.w, direction, rows: 0..<y.shape[2], biases,
        x.spans(steps), to: y.spans(steps))
      if let ends { makeConditional(from: first, on: ends.isAnyInside.span(start)) }
    }
  }

  /// The product of rows `[height, width, K]` with rows of the weights of one direction.
  private mutating func addStateProduct(
    _ id: NodeID, part: Int, operand: Int, _ direction: Int, rows: Range<Int>, _ biases: [Float],
    _ x: View, to y: View, adding addend: View? = nil, _ activation: Activation = .identity
  ) throws(CompileError) {
    let weight = graph[id].inputs[operand]!
    let shape = shape(of: weight)
    var packing = prunec_packing()
    (packing.batch, packing.groups, packing.scale) = (1, 1, 1)
    (packing.kernel_height, packing.kernel_width) = (1, 1)
    packing.out_channels = rows.count
    packing.in_channels = shape[2]
    (packing.output, packing.input) = (shape[2], 1)
    let offset = (direction * shape[1] + rows.lowerBound) * shape[2]
    let packed = weights.packed(
      .init(node: id, part: part), packing, of: weight, offset: offset,
      biases: biases)
    var product = prunec_product(inChannels: shape[2], outChannels: rows.count)
    (product.in_height, product.in_width) = (x.shape[0], x.shape[1])
    (product.out_height, product.out_width) = (x.shape[0], x.shape[1])
    (product.x_row, product.x_pixel) = (x.strides[0], x.strides[1])
    (product.y_row, product.y_pixel) = (y.strides[0], y.strides[1])
    if let addend {
      (product.addend_row, product.addend_pixel) = (addend.strides[0], addend.strides[1])
    }
    addProduct(
      [id], "recurrence", product, x: x, weights: .constant(packed),
      epilogue: Epilogue(
        output: graph[id].outputs.compactMap { $0 }[0], activation: activation),
      addend: addend, y: y)
  }

  private mutating func addSteps(
    _ direction: Direction, _ cell: RecurrenceComputation.Cell
  ) throws(CompileError) {
    let (steps, batch, units) = (
      direction.states.shape[0], direction.states.shape[1], direction.units
    )
    // What the product with the state makes, and the state that is reset.
    let gates = newView(.float32, [1, batch, direction.gates * units])
    let reset = newView(.float32, [1, batch, units])
    let zeros = newConstant(Tensor(zeros: .float32, shape: [1, 1, units]))
      .broadcast(to: [1, batch, units])
    var before =
      direction.initial.map {
        $0.strides[1] == 1 ? $0 : dense($0, order: [0, 1], for: direction.node)
      }
      .map { $0.adding(axis: 0) } ?? zeros
    let state = direction.ends.map { $0.state.part(direction.index, ofAxis: 0) }
    if let state {
      if direction.initial == nil {
        addFill(direction.node, state, with: 0)
      } else {
        addCopy(direction.node, from: before, to: state)
      }
      before = state
    }
    for step in 0..<steps {
      let time = direction.isReverse ? steps - 1 - step : step
      let (x, y) = (direction.inputs.span(time), direction.states.span(time))
      let first = self.steps.count
      try addStep(
        direction, cell, at: time, x, before, to: state ?? y, gates: gates, reset: reset)
      before = state ?? y
      guard let ends = direction.ends, let state else { continue }
      if direction.isSequenceUsed {
        let mask = ends.isInside.span(time).broadcast(to: state.shape)
        let isAdded = addProgram(
          [direction.node], [.init(.number(0), []), .init(.select, [0, 1, 2])], [mask, state], y)
        precondition(isAdded, "three axes are not too many for a program")
      }
      makeConditional(from: first, on: ends.isAnyInside.span(time))
    }
  }

  private mutating func addStep(
    _ direction: Direction, _ cell: RecurrenceComputation.Cell, at time: Int, _ x: View,
    _ before: View, to y: View, gates: View, reset: View
  ) throws(CompileError) {
    let (id, units) = (direction.node, direction.units)
    func gate(_ view: View, _ index: Int) -> View { view.gate(index, units) }
    func multiply(
      _ planner: inout Planner, _ state: View, gates rows: Range<Int>, to result: View,
      adding addend: View?, _ activation: Activation = .identity
    ) throws(CompileError) {
      let rows = (rows.lowerBound * units)..<(rows.upperBound * units)
      // The two parts of a GRU's weights are packed apart.
      let part = 4 * direction.index + (rows.lowerBound == 0 ? 1 : 2)
      try planner.addStateProduct(
        id, part: part, operand: Operand.r, direction.index, rows: rows,
        Array(direction.biases[rows]), state, to: result, adding: addend, activation)
    }
    let sigmoid = ElementwiseFormula.Operation.activate(Activation(.sigmoid))
    let tanh = ElementwiseFormula.Operation.activate(Activation(.tanh))
    var isAdded = true
    let isInside = direction.ends?.isInside.span(time)
    switch cell {
    case .plain:
      // The product cannot be made in the place of what it reads.
      let product = isInside == nil ? y : gates
      try multiply(&self, before, gates: 0..<1, to: product, adding: x, Activation(.tanh))
      if isInside != nil {
        isAdded = addState(id, [], [gates, before], before: 1, isInside: isInside, y)
      }
    case .longShortTermMemory:
      try multiply(&self, before, gates: 0..<4, to: gates, adding: x)
      let cell = direction.cell!.adding(axis: 0)
      isAdded = addState(
        id,
        [
          .init(sigmoid, [0]), .init(sigmoid, [1]), .init(tanh, [2]), .init(.multiply, [5, 3]),
          .init(.multiply, [4, 6]), .init(.add, [7, 8]),
        ], [gate(gates, 0), gate(gates, 2), gate(gates, 3), cell], before: 3, isInside: isInside,
        cell)
      let operands = [gate(gates, 1), cell] + (isInside == nil ? [] : [before])
      let first = operands.count
      isAdded =
        addState(
          id,
          [
            .init(sigmoid, [0]), .init(tanh, [1]), .init(.multiply, [first, first + 1]),
          ], operands, before: 2, isInside: isInside, y) && isAdded
    case .gatedUnit(isLinearBeforeReset: true):
      try multiply(&self, before, gates: 0..<3, to: gates, adding: nil)
      isAdded = addState(
        id,
        [
          .init(.add, [0, 3]), .init(sigmoid, [7]),
          .init(.add, [1, 4]), .init(sigmoid, [9]),
          .init(.multiply, [10, 5]), .init(.add, [2, 11]), .init(tanh, [12]),
          .init(.number(1), []), .init(.subtract, [14, 8]), .init(.multiply, [15, 13]),
          .init(.multiply, [8, 6]), .init(.add, [16, 17]),
        ], (0..<3).map { gate(x, $0) } + (0..<3).map { gate(gates, $0) } + [before], before: 6,
        isInside: isInside, y)
    case .gatedUnit(isLinearBeforeReset: false):
      try multiply(
        &self, before, gates: 0..<2, to: gates.channels(0..<(2 * units)),
        adding: x.channels(0..<(2 * units)), Activation(.sigmoid))
      isAdded = addProgram([id], [.init(.multiply, [0, 1])], [gate(gates, 1), before], reset)
      try multiply(
        &self, reset, gates: 2..<3, to: gate(gates, 2), adding: gate(x, 2), Activation(.tanh))
      isAdded =
        addState(
          id,
          [
            .init(.number(1), []), .init(.subtract, [3, 0]), .init(.multiply, [4, 1]),
            .init(.multiply, [0, 2]), .init(.add, [5, 6]),
          ], [gate(gates, 0), gate(gates, 2), before], before: 2, isInside: isInside, y) && isAdded
    }
    precondition(isAdded, "three axes are not too many for a program")
  }
}

extension View {
  /// Index `index` of an axis, which goes.
  fileprivate func part(_ index: Int, ofAxis axis: Int) -> View {
    var view = self
    view.offset += index * strides[axis]
    view.shape.remove(at: axis)
    view.strides.remove(at: axis)
    return view
  }

  /// Index `index` of the first axis, which stays, with an extent of one.
  fileprivate func span(_ index: Int) -> View { part(index, ofAxis: 0).adding(axis: 0) }

  /// Some of the indices of the first axis.
  fileprivate func spans(_ range: Range<Int>) -> View {
    var view = self
    view.offset += range.lowerBound * strides[0]
    view.shape[0] = range.count
    return view
  }

  fileprivate func adding(axis: Int) -> View {
    var view = self
    view.shape.insert(1, at: axis)
    view.strides.insert(0, at: axis)
    return view
  }

  /// Some of the indices of the last axis.
  fileprivate func channels(_ range: Range<Int>) -> View {
    var view = self
    view.offset += range.lowerBound * strides[strides.count - 1]
    view.shape[shape.count - 1] = range.count
    return view
  }

  fileprivate func gate(_ index: Int, _ units: Int) -> View {
    channels((index * units)..<((index + 1) * units))
  }
}
