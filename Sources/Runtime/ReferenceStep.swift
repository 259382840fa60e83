import PrunecGraphIR
import PrunecSemantics
import PrunecTensors

/// A node that is executed by its operator's `evaluate`.
struct ReferenceStep {
  enum Operand {
    case constant(Tensor)
    /// With the element type that the operator takes it as.
    case place(Planner.Place, ElementType?)

    var place: Planner.Place? {
      if case .place(let place, _) = self { place } else { nil }
    }
  }

  private let graph: Graph
  private let node: NodeID
  private let operands: [Operand?]
  /// What the node's subgraphs take from around them.
  private let captures: [Operand]
  private let results: [Planner.Place?]

  init(
    _ graph: Graph, _ node: NodeID, operands: [Operand?], captures: [Operand],
    results: [Planner.Place?]
  ) {
    (self.graph, self.node) = (graph, node)
    (self.operands, self.captures, self.results) = (operands, captures, results)
  }

  func run(_ memory: Memory) throws(CompileError) {
    func tensor(_ operand: Operand) -> Tensor {
      switch operand {
      case .constant(let tensor): tensor
      case .place(.view(let view), let type): memory.tensor(view, as: type ?? view.type)
      case .place(.box(let index), _): memory.boxes[index]!
      }
    }
    let values = try ReferenceEvaluator(graph).evaluate(
      node, operands.map { $0.map(tensor) }, captures: captures.map(tensor))
    for (place, tensor) in zip(results, values) {
      switch place {
      case nil: break
      case .box(let index): memory.boxes[index] = tensor
      case .view(let view):
        guard tensor.shape == view.shape else {
          throw CompileError(
            .malformed, "has a result of shape \(tensor.shape) instead of \(view.shape)",
            at: graph.location(of: node))
        }
        memory.store(tensor, to: view)
      }
    }
  }
}
