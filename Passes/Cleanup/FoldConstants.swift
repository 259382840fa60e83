import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics
import PrunecTensors

/// Computes what does not depend on the graph's inputs.
///
///     Gather(Shape(x), 1)        =>  initializer 96
///     Constant <value = t>       =>  initializer t
///     Transpose(initializer)     =>  initializer
///
/// Legal where
/// 1. every operand is a constant whose data is at hand (as is what its graphs capture: an If, a Loop or a
///    Scan is run), or inference knows every element of an integer result (an extent that is a number);
/// 2. the node is understood;
/// 3. it is no mask: what it says of channels would be lost.
///
/// Folding must not make the model larger: a result of more than 16 KiB that is larger than the
/// operands that go with the node stays a node (`ConstantOfShape` of a whole weight). Nor must it untie
/// weights: a node whose operand is a matrix that other nodes use too (an embedding and its transposed
/// self) stays unless the result is no larger than the operands that go, or is a few known integers (its
/// extents). Nor must it undo quantization: a DequantizeLinear stays, for runtimes look for it. Option
/// `all=true` folds these kinds too: for those who want everything computed rather than a small model.
package struct FoldConstants: Pass {
  package static let name = "fold-constants"
  package static let summary = "compute nodes whose operands are constants"
  package static let effect = Effect.preserving(tolerance: 1e-5)

  private static let freeBytes = 16 << 10
  private static let macLimit = 1 << 30

  private static let all = PassOption(
    "all", .bool, default: false, valueName: "bool",
    help: "Compute everything, even where the model grows, unties weights or loses quantization.")
  package static let options: [any PassOptionDescription] = [all]

  private let foldsAll: Bool

  package init(options: inout OptionReader) throws(CompileError) {
    foldsAll = try options.value(Self.all)
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    for id in Array(graph.nodes) {
      guard let constants = results(of: id, graph, facts) else { continue }
      for (output, tensor) in constants {
        let axes = constantAxes(of: id, output, graph, facts)
        let initializer = graph.build(before: id, stem: graph[output].name) {
          $0.addConstant(tensor, axes: axes)
        }
        graph.replaceAllUses(of: output, with: initializer)
      }
      graph.erase(id)
    }
  }

  /// The constants that a node's outputs are; `nil` where it cannot be folded.
  private func results(
    of id: NodeID, _ graph: Graph, _ facts: GraphFacts
  ) -> [(output: ValueID, tensor: Tensor)]? {
    let node = graph[id]
    if let flow = ControlFlow(id, in: graph) { return results(of: flow, node, graph) }
    guard !node.operation.isMask, let (found, call) = facts.invocation(of: id) else { return nil }
    let constants = Set(node.inputs.compactMap { $0 }.filter { graph[$0].constant != nil })
    let own = constants.filter { graph[$0].uses.allSatisfy { $0.node == id } }
    let ownBytes = own.reduce(0) { $0 + graph[$1].constant!.byteCount }
    // A weight that stays for other nodes would be there twice, and no longer be tied to itself.
    let isTied = constants.contains { !own.contains($0) && graph[$0].constant!.rank >= 2 }
    let outputs = node.outputs.compactMap { $0 }
    func fits(_ limit: Int, orIsUnknown admitsUnknown: Bool = false) -> Bool {
      outputs.allSatisfy { output in
        let type = facts[output].type
        let bytes = type?.fixedShape?.checkedElementCount.flatMap {
          type?.elementType?.byteCount(of: $0)
        }
        return bytes.map { $0 <= limit && MemoryLimit.admits($0) } ?? admitsUnknown
      }
    }
    let isDequantization = node.operation.type == "DequantizeLinear"
    let known = outputs.compactMap { output in facts[output].knownTensor.map { (output, $0) } }
    // Extents and the like; they are no weights.
    let areNumbers =
      known.count == outputs.count && outputs.allSatisfy { facts[$0].integers != nil }
    guard areNumbers || foldsAll || !isDequantization && (!isTied || fits(ownBytes)) else {
      return nil
    }
    if known.count == outputs.count { return known }

    let operands = node.inputs.map { $0.flatMap { graph[$0].constant } }
    guard zip(node.inputs, operands).allSatisfy({ $0 == nil || $1?.hasData == true }),
      fits(foldsAll ? .max : max(Self.freeBytes, ownBytes), orIsUnknown: foldsAll),
      found.macs(call) <= Self.macLimit
    else { return nil }
    // What cannot be evaluated stays a node; running it is the runtime's business.
    guard let tensors = try? found.evaluate(call, operands) else { return nil }
    return zip(node.outputs, tensors).compactMap { output, tensor in output.map { ($0, tensor) } }
  }

  /// The constants that the outputs of a node with graphs of its own are.
  private func results(
    of flow: ControlFlow, _ node: Node, _ graph: Graph
  ) -> [(output: ValueID, tensor: Tensor)]? {
    let operands = node.inputs.map { $0.flatMap { graph[$0].constant } }
    let captures = node.captures.compactMap { graph[$0].constant }
    guard zip(node.inputs, operands).allSatisfy({ $0 == nil || $1?.hasData == true }),
      captures.count == node.captures.count, captures.allSatisfy(\.hasData),
      let tensors = try? flow.evaluate(operands, captures: captures, effort: Self.macLimit),
      foldsAll || tensors.allSatisfy({ $0.byteCount <= Self.freeBytes })
    else { return nil }
    return zip(node.outputs, tensors).compactMap { output, tensor in output.map { ($0, tensor) } }
  }

  /// For each axis of `output` the axes of constant operands that are equal to it, index by index.
  private func constantAxes(
    of id: NodeID, _ output: ValueID, _ graph: Graph, _ facts: GraphFacts
  ) -> [Int: [Axis]] {
    var axes: [Int: [Axis]] = [:]
    for case .equal(let a, let b) in facts.relations(of: id) {
      guard case .operand(let index) = a.slot, case .result(let position) = b.slot,
        graph[id].outputs[position] == output, let operand = graph[id].inputs[index],
        graph[operand].constant != nil
      else { continue }
      axes[b.axis, default: []].append(Axis(operand, a.axis))
    }
    return axes
  }
}
