import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Evaluation of nodes whose operands are all constant, or extents that are numbers, while facts are
/// being inferred.
enum ConstantEvaluation {
  /// Larger results are not computed during inference: shape arithmetic is small.
  static let elementLimit = 4096
  static let macLimit = 1 << 20

  /// The constant facts of the results, if all operands are constant and everything is small.
  static func results(of found: any Operator, _ call: Invocation, _ node: Node) -> [ValueFacts]? {
    var operands: [Tensor?] = []
    for operand in call.operands {
      guard let operand else {
        operands.append(nil)
        continue
      }
      guard let constant = operand.knownTensor,
        constant.count <= elementLimit || node.inputs.count == 1
      else { return nil }
      operands.append(constant)
    }
    for result in call.results {
      guard let count = result.fixedShape?.checkedElementCount, count <= elementLimit else {
        return nil
      }
    }
    guard found.macs(call) <= macLimit else { return nil }
    // A node that cannot be evaluated is no error here: it stays a node.
    guard let tensors = try? found.evaluate(call, operands) else { return nil }
    return tensors.map { ValueFacts(constant: $0) }
  }
}
