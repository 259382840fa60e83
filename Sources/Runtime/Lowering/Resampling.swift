import CPrunecKernels
import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Images, enlarged and reduced.
extension Planner {
  mutating func lowerResampling(
    _ id: NodeID, _ neighbours: [ResamplingNeighbours?]
  ) throws(CompileError) -> Bool {
    guard let operand = try operandViews(id)?[0], let output = graph[id].outputs[0],
      (3...4).contains(operand.shape.count), neighbours[0] == nil, neighbours[1] == nil,
      shape(of: output)[2...].allSatisfy({ $0 <= ResamplingNeighbours.extentLimit })
    else { return false }
    let x = channelsLast(operand, for: id)
    let y = result(output, order: [0] + Array(2..<x.shape.count) + [1])
    guard y.shape.elementCount > 0 else { return true }
    let (from, to) = (Planar(x), Planar(y))
    let last = x.shape.count - 1
    var arguments = prunec_resize()
    (arguments.batch, arguments.channels) = (x.shape[0], x.shape[1])
    (arguments.out_height, arguments.out_width) = (last == 2 ? 1 : y.shape[2], y.shape[last])
    (arguments.x_batch, arguments.x_row, arguments.x_pixel) = (from.batch, from.row, from.pixel)
    (arguments.y_batch, arguments.y_row, arguments.y_pixel) = (to.batch, to.row, to.pixel)
    let rows = table(last == 2 ? nil : neighbours[2], count: arguments.out_height)
    let columns = table(neighbours[last], count: arguments.out_width)
    let tables = (rows + columns).flatMap { [$0.indices.buffer, $0.weights.buffer] }
    let form = arguments
    steps.append(
      Step(
        [id], "resampling", reads: [x.buffer] + tables, writes: [y.buffer],
        operations: 2 * y.shape.elementCount * rows.count * columns.count
      ) { memory in
        var arguments = form
        withElements(of: &arguments.rows, as: UnsafePointer<Int32>?.self) {
          for (index, view) in rows.enumerated() { $0[index] = memory.pointer(view.indices) }
        }
        withElements(of: &arguments.columns, as: UnsafePointer<Int32>?.self) {
          for (index, view) in columns.enumerated() { $0[index] = memory.pointer(view.indices) }
        }
        withElements(of: &arguments.row_weights, as: UnsafePointer<Float>?.self) {
          for (index, view) in rows.enumerated() { $0[index] = memory.pointer(view.weights) }
        }
        withElements(of: &arguments.column_weights, as: UnsafePointer<Float>?.self) {
          for (index, view) in columns.enumerated() { $0[index] = memory.pointer(view.weights) }
        }
        arguments.x = UnsafePointer(memory.floats(x))
        arguments.y = memory.floats(y)
        return .kernel(
          KernelCall(
            arguments, units: Kernels.table.pointee.resize_units, Kernels.table.pointee.resize))
      })
    return true
  }

  /// The constants that the kernel reads, for one or two neighbours. Without any, each of `count` indices is itself.
  private mutating func table(
    _ neighbours: ResamplingNeighbours?, count: Int
  ) -> [(indices: View, weights: View)] {
    let neighbours =
      neighbours
      ?? ResamplingNeighbours(
        indices: [Array(0..<count)], weights: [[Float](repeating: 1, count: count)])
    return zip(neighbours.indices, neighbours.weights).map { indices, weights in
      (
        newConstant(Tensor(.int32, shape: [count], elements: indices.map(Int32.init))),
        newConstant(Tensor(weights, shape: [count]))
      )
    }
  }
}

extension Memory {
  fileprivate func pointer<Element>(_ view: View) -> UnsafePointer<Element> {
    UnsafePointer(self[view].assumingMemoryBound(to: Element.self))
  }
}
