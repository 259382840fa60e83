import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Whether a node hands on a positive factor: `f(2 x) = 2 f(x)` for its computed operands.
///
/// Found by evaluation rather than by a list of operators: a power of two scales every float exactly,
/// so a node that is positively homogeneous gives bit for bit twice the result, and one that is not
/// differs somewhere on random data of a wide range. Rewrites that rely on it only change how good an
/// approximation is, never what prunec proves about the result.
package enum Homogeneity {
  private static let elementLimit = 1 << 22

  /// Tests the node on random data; `false` where it cannot be evaluated.
  package static func holds(for id: NodeID, _ graph: Graph, _ facts: GraphFacts) -> Bool {
    guard let (found, call) = facts.invocation(of: id) else { return false }
    var generator = SplitMix64(seed: 1)
    var operands: [Tensor?] = []
    var doubled: [Tensor?] = []
    for (index, operand) in call.operands.enumerated() {
      if operand == nil || operand?.constant != nil {
        operands.append(operand?.constant)
        doubled.append(operand?.constant)
        continue
      }
      guard operand?.elementType == .float32,
        let shape = call.shape(index)?.map({ $0.fixedExtent ?? 1 }),
        let count = shape.checkedElementCount, count <= elementLimit
      else { return false }
      let data = (0..<count).map { _ in generator.nextNormal() * 16 }
      operands.append(Tensor(data, shape: shape))
      doubled.append(Tensor(data.map { 2 * $0 }, shape: shape))
    }
    guard let once = evaluate(found, call, operands), let twice = evaluate(found, call, doubled)
    else {
      return false
    }
    return once.floats.map { 2 * $0 } == twice.floats
  }

  private static func evaluate(
    _ found: any Operator, _ call: Invocation, _ operands: [Tensor?]
  ) -> Tensor? {
    var concrete = Invocation(
      signature: call.signature, opset: call.opset, attributes: call.attributes,
      operands: operands.map { $0.map { ValueFacts(constant: $0) } }, results: call.results,
      location: call.location)
    guard let results = try? found.inferFacts(concrete) else { return nil }
    concrete.results = results
    guard let tensors = try? found.evaluate(concrete, operands), let first = tensors.first,
      first.elementType == .float32
    else { return nil }
    return first
  }
}
