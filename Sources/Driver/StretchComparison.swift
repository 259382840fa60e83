import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics
import PrunecTensors

/// Two graphs of a claim, cut open where results jump: at nodes that round, compare, sort or choose.
///
/// Sums that are rounded in another order may fall on the other side of a rounding or of a comparison,
/// and what follows is then another number, however right both graphs are. So the graph after does not
/// use results of its own at such nodes but those of the graph before, less the channels that were cut.
/// Both give what these nodes read beside their outputs.
///
/// Where all of that agrees to the tolerance, every stretch between such nodes computes the same, and the
/// nodes are the same operators with the same attributes, reading the same to the tolerance. Nothing is
/// left out: results of such nodes that are outputs of the model follow from what the nodes read.
struct StretchComparison {
  /// The graph before, which also gives what the nodes read and make.
  let before: Graph
  /// The graph after, which also takes what the nodes make, as further inputs, and gives what they read.
  let after: Graph
  /// Number of nodes at which the graphs are cut open.
  let nodeCount: Int

  /// A value of the graph before as an output of it, and the one that stands for it in the graph after.
  private struct Pair {
    /// Name of the output in the results of a run.
    let key: String
    let value: ValueID

    init(_ name: String, _ value: ValueID) { (key, self.value) = ("output \(name)", value) }
  }

  private var operands: [Pair] = []
  /// One for each further input of the graph after, in order.
  private var results: [Pair] = []
  private let kept: [Axis: [Int]]

  /// `nil` where no node of both graphs jumps.
  init?(_ claim: PassManager.Claim) {
    guard let facts = try? GraphFacts(of: claim.before) else { return nil }
    var (before, after) = (claim.before, claim.after)
    var count = 0
    for id in claim.before.nodes where Self.jumps(id, facts) {
      guard let twin = claim.after.node(id), Self.isTwin(twin, of: claim.before[id]) else {
        continue
      }
      for (index, operand) in claim.before[id].inputs.enumerated() {
        guard let operand, let other = twin.inputs[index] else { continue }
        let name = "operand \(index) of \(claim.before.location(of: id)) (\(count))"
        before.addOutput(name: name, operand)
        after.addOutput(name: name, other)
        operands.append(Pair(name, operand))
      }
      for (index, result) in claim.before[id].outputs.enumerated() {
        guard let result, let other = twin.outputs[index] else { continue }
        let name = "result \(index) of \(claim.before.location(of: id)) (\(count))"
        before.addOutput(name: name, result)
        let input = after.addInput(
          name: after.uniqueName(name),
          type: after[other].type ?? facts[result].elementType.map { .tensor($0, nil) })
        after.replaceAllUses(of: other, with: input)
        results.append(Pair(name, result))
      }
      count += 1
    }
    guard count > 0 else { return nil }
    (self.before, self.after, kept, nodeCount) = (before, after, claim.kept, count)
  }

  private static func jumps(_ id: NodeID, _ facts: GraphFacts) -> Bool {
    guard let (found, call) = facts.invocation(of: id),
      let discontinuous = found as? any DiscontinuousOperator
    else { return false }
    return discontinuous.isDiscontinuous(call)
  }

  private static func isTwin(_ node: Node, of other: Node) -> Bool {
    node.operation == other.operation && node.attributes.count == other.attributes.count
      && node.attributes.allSatisfy { attribute in
        other.attribute(attribute.name).map { attribute.value.isSameNumber(as: $0.value) } ?? false
      }
      && node.inputs.map { $0 == nil } == other.inputs.map { $0 == nil }
      && node.outputs.map { $0 == nil } == other.outputs.map { $0 == nil }
  }

  /// The further inputs of the graph after, from the results of the graph before, by name in the results of a run.
  ///
  /// `nil` where the graph before has not made them.
  func inputs(from made: [String: Tensor]) -> [Tensor]? {
    var inputs: [Tensor] = []
    for result in results {
      guard let tensor = made[result.key] else { return nil }
      inputs.append(sliced(tensor, result.value))
    }
    return inputs
  }

  /// Expected results of the graph after, from those of the graph before; both by name in the results of a run.
  func expected(from made: [String: Tensor]) -> [String: Tensor] {
    var expected = made
    for result in results { expected[result.key] = nil }
    for operand in operands {
      expected[operand.key] = made[operand.key].map { sliced($0, operand.value) }
    }
    return expected
  }

  private func sliced(_ tensor: Tensor, _ value: ValueID) -> Tensor {
    tensor.shape.indices.reduce(tensor) { slice, axis in
      kept[Axis(value, axis)].map { slice.keeping($0, alongAxis: axis) } ?? slice
    }
  }
}

extension Attribute.Value {
  /// Whether both are the same number or text, or the same list of them.
  fileprivate func isSameNumber(as other: Self) -> Bool {
    switch (self, other) {
    case (.int(let a), .int(let b)): a == b
    case (.float(let a), .float(let b)): a == b
    case (.string(let a), .string(let b)): a == b
    case (.ints(let a), .ints(let b)): a == b
    case (.floats(let a), .floats(let b)): a == b
    case (.strings(let a), .strings(let b)): a == b
    default: false
    }
  }
}
