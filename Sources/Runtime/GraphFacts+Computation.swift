import PrunecGraphIR
import PrunecOperators
import PrunecSemantics

extension GraphFacts {
  /// What a node computes, where kernels cover its form: its operator has a computation, all extents are
  /// numbers, and all elements of types that views can hold.
  package func kernelComputation(of id: NodeID) throws(CompileError) -> Computation? {
    guard let (found, call) = invocation(of: id), let found = found as? any KernelOperator,
      (call.operands.compactMap { $0 } + call.results).allSatisfy(View.holds)
    else { return nil }
    let computation = try found.computation(call)
    if case .elementwise(let formula)? = computation {
      let values = call.operands.prefix(formula.operandCount).compactMap { $0 } + call.results
      guard values.allSatisfy({ formula.takes($0.elementType!) }) else { return nil }
    }
    return computation
  }
}
