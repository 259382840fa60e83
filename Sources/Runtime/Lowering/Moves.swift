import CPrunecKernels
import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Padding and gathering.
extension Planner {
  mutating func lowerPadding(
    _ id: NodeID, before: [Int], after: [Int], _ padding: Padding
  ) throws(CompileError) -> Bool {
    guard let operand = try operandViews(id)?[0], operand.type == .float32 || padding.isOfRuns,
      let output = graph[id].outputs[0]
    else { return false }
    var source = operand
    // What is taken away is no longer seen.
    for axis in before.indices {
      let (front, back) = (max(0, -before[axis]), max(0, -after[axis]))
      source.offset += front * source.strides[axis]
      source.shape[axis] -= front + back
    }
    guard source.shape.allSatisfy({ $0 > 0 }) else { return false }
    guard before.contains(where: { $0 > 0 }) || after.contains(where: { $0 > 0 }) else {
      places[output] = .view(source)
      return true
    }
    let y = result(output, order: operand.order)
    switch padding {
    case .number(let number):
      addCopy(id, from: source, into: y, at: before.map { max(0, $0) }, around: number)
    case .runs(let runs): addCopy(id, from: source, into: y, at: before, around: runs)
    }
    return true
  }

  /// Copies `source` into `view`, its first element to `start`, and repeats elements of each axis before and behind
  /// them, together with what lies around these along the axes before it.
  private mutating func addCopy(
    _ id: NodeID, from source: View, into view: View, at start: [Int], around runs: [[Padding.Run]]
  ) {
    /// Elements that are there already: all along the axes that are done, and only those of `source` along the others.
    var there = view
    for axis in view.shape.indices {
      there.offset += start[axis] * view.strides[axis]
      there.shape[axis] = source.shape[axis]
    }
    addCopy(id, from: source, to: there)
    for (axis, runs) in runs.enumerated() {
      there.offset -= start[axis] * view.strides[axis]
      for run in runs {
        var (from, to) = (there, there)
        (from.shape[axis], to.shape[axis]) = (run.count, run.count)
        from.offset += run.source * view.strides[axis]
        from.strides[axis] *= run.step
        to.offset += run.start * view.strides[axis]
        addCopy(id, from: from, to: to)
      }
      there.shape[axis] = view.shape[axis]
    }
  }

  /// Copies `source` into `view`, its first element to `start`, and sets all that lies around it.
  mutating func addCopy(
    _ id: NodeID, from source: View, into view: View, at start: [Int], around number: Float
  ) {
    guard source.shape.allSatisfy({ $0 > 0 }) else {
      addFill(id, view, with: number)
      return
    }
    var rest = view
    for axis in view.order {
      let end = start[axis] + source.shape[axis]
      for (first, count) in [(0, start[axis]), (end, rest.shape[axis] - end)] where count > 0 {
        var border = rest
        border.offset += first * border.strides[axis]
        border.shape[axis] = count
        addFill(id, border, with: number)
      }
      rest.offset += start[axis] * rest.strides[axis]
      rest.shape[axis] = source.shape[axis]
    }
    addCopy(id, from: source, to: rest)
  }

  /// Sets all elements of a view.
  mutating func addFill(_ id: NodeID, _ view: View, with number: Float) {
    let loops = Loops([view], axes: view.order)
    var program = prunec_program()
    program.rank = loops.rank
    fill(&program.shape, loops.shape)
    program.instruction_count = 1
    withElements(of: &program.instructions, as: prunec_instruction.self) {
      $0[0] = prunec_instruction(.init(.number(number), []))
    }
    let arguments = program
    steps.append(
      Step([id], "fill", reads: [], writes: [view.buffer]) { memory in
        var program = arguments
        program.y = prunec_operand(memory[view], view.type, loops.strides[0])
        return .kernel(
          KernelCall(
            program, units: Kernels.table.pointee.program_units, Kernels.table.pointee.program))
      })
  }

  mutating func lowerGather(_ id: NodeID, axis: Int) throws(CompileError) -> Bool {
    guard let views = try operandViews(id), let data = views[0], let indices = views[1],
      let output = graph[id].outputs[0], indices.type == .int64 || indices.type == .int32,
      data.shape.elementCount > 0
    else { return false }
    let y = result(output)
    guard y.isRowMajor else { return false }
    let source = dense(data, order: Array(data.shape.indices), for: id)
    let count = indices.shape.elementCount
    let places = newView(.int64, [count])
    let (extent, location) = (data.shape[axis], graph.location(of: id))
    steps.append(
      Step([id], "indices", reads: [indices.buffer], writes: [places.buffer]) { memory in
        .preparation(
          { (memory) throws(CompileError) in
            let target = memory[places].assumingMemoryBound(to: Int64.self)
            for (place, index) in memory.tensor(indices, as: indices.type).integers.enumerated() {
              guard index >= -extent, index < extent else {
                throw CompileError(
                  .malformed, "index \(index) is out of range for an extent of \(extent)",
                  at: location)
              }
              target[place] = Int64(index < 0 ? index + extent : index)
            }
          }, memory)
      })
    let size = data.elementSize
    var gather = prunec_gather()
    gather.outer = data.shape[..<axis].reduce(1, *)
    gather.count = count
    gather.inner = data.shape[(axis + 1)...].reduce(size, *)
    gather.x_row = gather.inner
    gather.x_outer = gather.inner * extent
    gather.y_row = gather.inner
    gather.y_outer = gather.inner * count
    let form = gather
    steps.append(
      Step([id], "gather", reads: [source.buffer, places.buffer], writes: [y.buffer]) { memory in
        var gather = form
        gather.x = UnsafeRawPointer(memory[source])
        gather.index = UnsafePointer(memory[places].assumingMemoryBound(to: Int64.self))
        gather.y = memory[y]
        return .kernel(
          KernelCall(
            gather, units: Kernels.table.pointee.gather_units, Kernels.table.pointee.gather))
      })
    return true
  }
}

extension Padding {
  fileprivate var isOfRuns: Bool {
    if case .runs = self { true } else { false }
  }
}
