import PrunecGraphIR
import PrunecSemantics
import PrunecTensors

/// A node that is executed by its operator's `evaluate`, or by running the graphs that it holds.
struct ReferenceStep {
  /// The name of a step of this kind, in the place of a kernel's.
  static let kernel = "reference"

  enum Operand {
    case constant(Tensor)
    /// With the element type that the operator takes it as.
    case place(Planner.Place, ElementType?)

    /// The tensor, where it is the same in every run of the plan.
    var constant: Tensor? {
      if case .constant(let tensor) = self { tensor } else { nil }
    }

    var place: Planner.Place? {
      if case .place(let place, _) = self { place } else { nil }
    }
  }

  private let evaluation: Result<NodeEvaluation, CompileError>
  private let location: Location
  private let operands: [Operand?]
  /// What the node's subgraphs take from around them.
  private let captures: [Operand]
  private let results: [Planner.Place?]
  /// Of an If, a Loop or a Scan.
  private let bodies: BodySessions?

  init(
    _ graph: Graph, _ node: NodeID, operands: [Operand?], captures: [Operand],
    results: [Planner.Place?], bodies: BodySessions?
  ) {
    // A node that cannot be evaluated is an error of those runs alone that come to it.
    evaluation = Result { () throws(CompileError) in try NodeEvaluation(node, in: graph) }
    location = graph.location(of: node)
    self.bodies = bodies
    (self.operands, self.captures, self.results) = (operands, captures, results)
  }

  func run(_ memory: Memory, on pool: ThreadPool) throws(CompileError) {
    func tensor(_ operand: Operand) -> Tensor {
      switch operand {
      case .constant(let tensor): tensor
      case .place(.view(let view), let type): memory.tensor(view, as: type ?? view.type)
      case .place(.box(let index), _): memory.boxes[index]!
      }
    }
    let operands = operands.map { $0.map(tensor) }
    let captured = captures.map(tensor)
    let values =
      if let bodies {
        try bodies.run(operands, captures: captured, known: captures.map(\.constant), on: pool)
      } else {
        try evaluation.get().evaluate(operands)
      }
    for (place, tensor) in zip(results, values) {
      switch place {
      case nil: break
      case .box(let index): memory.boxes[index] = tensor
      case .view(let view):
        // A loop without an iteration knows no extents of what it has not made.
        if tensor.count == 0, view.shape.contains(0) { continue }
        guard tensor.shape == view.shape else {
          throw CompileError(
            .malformed, "has a result of shape \(tensor.shape) instead of \(view.shape)",
            at: location)
        }
        memory.store(tensor, to: view)
      }
    }
  }
}
