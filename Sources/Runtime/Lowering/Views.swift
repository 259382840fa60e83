import CPrunecKernels
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// Views and concatenations: mostly no steps at all.
extension Planner {
  mutating func lowerViews(_ id: NodeID, _ results: [[ViewStep]]) throws(CompileError) -> Bool {
    let others = graph[id].outputs.dropFirst(results.count).compactMap { $0 }
    guard others.allSatisfy({ graph[$0].uses.isEmpty }), let operand = try operandViews(id)?[0]
    else { return false }
    for (output, steps) in zip(graph[id].outputs, results) {
      guard let output else { continue }
      var view = operand
      for step in steps {
        if let next = view.applying(step) {
          view = next
        } else {
          view = dense(view, order: Array(view.shape.indices), for: id).applying(step)!
        }
      }
      // Conversions between floating point types keep the stored elements as they are.
      places[output] = .view(view)
    }
    return true
  }

  mutating func lowerConcatenation(_ id: NodeID, axis: Int) throws(CompileError) -> Bool {
    guard let operands = try operandViews(id)?.compactMap({ $0 }), let output = graph[id].outputs[0]
    else { return false }
    if parents[output] == nil, let joined = Self.joined(operands, axis: axis) {
      places[output] = .view(joined)
      return true
    }
    let largest = operands.max { $0.shape.elementCount < $1.shape.elementCount }!
    let target = parents[output]?.view ?? result(output, order: largest.order)
    places[output] = .view(target)
    var start = 0
    for operand in operands {
      let part = Self.part(of: target, axis: axis, start: start, count: operand.shape[axis])
      if part != operand, operand.shape.elementCount > 0 { addCopy(id, from: operand, to: part) }
      start += operand.shape[axis]
    }
    return true
  }

  private static func part(of whole: View, axis: Int, start: Int, count: Int) -> View {
    var part = whole
    part.offset += start * whole.strides[axis]
    part.shape[axis] = count
    return part
  }

  /// The operands as one view, where they lie side by side already.
  private static func joined(_ operands: [View], axis: Int) -> View? {
    var joined = operands[0]
    for operand in operands.dropFirst() {
      guard operand.buffer == joined.buffer, operand.type == joined.type,
        operand.strides == joined.strides,
        operand.offset == joined.offset + joined.shape[axis] * joined.strides[axis]
      else { return nil }
      joined.shape[axis] += operand.shape[axis]
    }
    return joined
  }

  /// The part of a concatenation's buffer that is kept for a value, if its elements may lie in `order` there.
  mutating func slotView(_ value: ValueID, order: [Int]) -> View? {
    guard let slot = slots[value] else { return nil }
    if parents[slot.parent] == nil {
      let type = View.storage(of: facts[slot.parent].elementType!)!
      let view =
        slotView(slot.parent, order: order) ?? newView(type, shape(of: slot.parent), order: order)
      parents[slot.parent] = (view, order)
    }
    let (parent, parentOrder) = parents[slot.parent]!
    guard parentOrder == order else { return nil }
    return Self.part(
      of: parent, axis: slot.axis, start: slot.start, count: shape(of: value)[slot.axis])
  }
}

/// Where in a concatenation's result an operand goes, so that it can be computed there and need not be
/// copied.
struct ConcatenationSlot {
  var parent: ValueID
  var axis: Int
  var start: Int

  /// The slot of every value that can have one. Later concatenations come first: where each takes in what the one
  /// before did and more, as in a dense block, all of them are parts of the last.
  static func slots(
    of graph: Graph, _ facts: GraphFacts
  ) throws(CompileError) -> [ValueID: ConcatenationSlot] {
    var slots: [ValueID: ConcatenationSlot] = [:]
    for id in graph.nodesReversed {
      guard case .concatenation(let axis)? = try facts.kernelComputation(of: id),
        let output = graph[id].outputs[0]
      else { continue }
      let inputs = graph[id].inputs.compactMap { $0 }
      var start = 0
      for input in inputs {
        if slots[input] == nil, inputs.count(where: { $0 == input }) == 1, !facts.isFixed(input),
          let node = graph[input].definingNode, isFresh(try facts.kernelComputation(of: node))
        {
          slots[input] = ConcatenationSlot(parent: output, axis: axis, start: start)
        }
        start += facts[input].fixedShape![axis]
      }
    }
    return slots
  }

  /// Whether a computation writes its result, rather than showing another value in another way.
  private static func isFresh(_ computation: Computation?) -> Bool {
    switch computation {
    case nil, .views: false
    default: true
    }
  }
}
