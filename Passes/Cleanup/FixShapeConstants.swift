import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics
import PrunecTensors

/// Makes the target of a Reshape a constant where inference knows enough of the result.
///
///     n = Gather(Shape(x), 0)                  t = [0, 50, 4, 24]
///     t = Concat(n, [50], [4], [-1])      =>   y = Reshape(x, t)
///     y = Reshape(x, t)
///
/// The coupling can only cut what a Reshape splits or merges when it knows the factors, and the
/// shape arithmetic that exporters emit for a dynamic batch dies with the old target.
///
/// Legal where
/// 1. the result's rank is known and no extent is zero (a zero would be read as "copy");
/// 2. every extent of the result is a number, or is by name the extent of the operand's axis at the
///    same place (written 0), except for at most one (written -1);
/// 3. -1 does not stand beside 0: of an empty batch no extent can be deduced;
/// 4. `allowzero` is not set, or no 0 is written.
package struct FixShapeConstants: Pass {
  package static let name = "fix-shape-constants"
  package static let summary = "make computed Reshape targets constant"
  package static let effect = Effect.preserving(tolerance: 0)

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    for id in Array(graph.nodes) {
      guard let target = constantTarget(of: id, graph, facts) else { continue }
      let constant = graph.build(before: id, stem: graph[graph[id].inputs[1]!].name) {
        $0.addConstant(Tensor(target), "constant")
      }
      graph.setInput(1, of: id, to: constant)
    }
  }

  private func constantTarget(of id: NodeID, _ graph: Graph, _ facts: GraphFacts) -> [Int]? {
    let node = graph[id]
    guard node.operation == OperationName("Reshape"), let (_, call) = facts.invocation(of: id),
      call.operand(1)?.constant == nil, let result = call.results[0].shape,
      let operand = call.shape(0), !result.isEmpty
    else { return nil }
    var target: [Int] = []
    var isDeduced = false
    for (axis, dimension) in result.enumerated() {
      switch dimension.extent {
      case .fixed(let extent):
        guard extent > 0 else { return nil }
        target.append(extent)
      case .symbol where axis < operand.count && operand[axis].extent == dimension.extent:
        guard
          !node.attributes.contains(where: { $0.name == "allowzero" }) || call.int("allowzero") == 0
        else { return nil }
        target.append(0)
      default:
        guard !isDeduced else { return nil }
        isDeduced = true
        target.append(-1)
      }
    }
    return isDeduced && target.contains(0) ? nil : target
  }
}
