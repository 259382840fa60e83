extension GraphFacts {
  /// What a node computes, where kernels cover its form: its operator has a computation, all extents are
  /// numbers, and all elements of types that views can hold.
  func kernelComputation(of id: NodeID) throws(CompileError) -> Computation? {
    guard let (found, call) = invocation(of: id), let found = found as? any KernelOperator,
      (call.operands.compactMap { $0 } + call.results).allSatisfy(View.holds)
    else { return nil }
    return try found.computation(call)
  }
}
