import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// What follows a product and is computed with it, while its result is still in registers: a batch normalization and
/// other factors and addends for each channel, which go into the weights; an activation; the sum with
/// another value.
struct Epilogue {
  /// The nodes that are taken in.
  var nodes: [NodeID] = []
  /// The value of the last of them.
  var output: ValueID
  /// Whether the weights are at hand, to take in factors.
  var isFoldable = true
  /// Whether sums with other values can be taken in.
  var takesAddends = true
  /// For each output channel; the weights get the factor.
  var factors: [Float]?
  var biases: [Float]?
  var activation = Activation.identity
  var addend: ValueID?
  /// Whether the addend comes after the activation.
  var addsLast = false

  /// Multiplies what is computed so far and adds to it.
  mutating func scale(by factors: [Float], adding addends: [Float]) {
    self.factors = self.factors.map { zip($0, factors).map { $0 * $1 } } ?? factors
    biases = biases.map { zip(zip($0, factors), addends).map { $0.0 * $0.1 + $1 } } ?? addends
  }
}

extension Planner {
  /// Whatever follows `output`, the result of a product with its channels along `axis` and with `biases`, and
  /// can be taken in.
  func epilogue(
    of output: ValueID, channelAxis axis: Int, biases: [Float]?, isFoldable: Bool = true,
    takesAddends: Bool = true
  ) throws(CompileError) -> Epilogue {
    var epilogue = Epilogue(
      output: output, isFoldable: isFoldable, takesAddends: takesAddends, biases: biases)
    while try extend(&epilogue, axis) {}
    return epilogue
  }

  private func extend(_ epilogue: inout Epilogue, _ axis: Int) throws(CompileError) -> Bool {
    let value = epilogue.output
    let shape = shape(of: value)
    if epilogue.activation == .identity, let gated = try gatedActivation(of: value) {
      epilogue.activation = gated.activation
      epilogue.nodes += gated.nodes
      epilogue.output = gated.output
      return true
    }
    guard let next = soleUse(of: value), let computation = try facts.kernelComputation(of: next),
      let output = graph[next].outputs[0], self.shape(of: output) == shape
    else { return false }
    let isLinear =
      epilogue.activation == .identity && epilogue.addend == nil && epilogue.isFoldable
    switch computation {
    case .normalization(let normalization):
      guard isLinear, case .given = normalization.statistics, axis == 1,
        let (factors, addends) = try affine(next, normalization)
      else { return false }
      epilogue.scale(by: factors, adding: addends)
    case .elementwise(let formula):
      let inputs = graph[next].inputs.compactMap { $0 }
      if let activation = formula.activation {
        guard epilogue.activation == .identity else { return false }
        epilogue.activation = activation
      } else if formula.isBinary(.add) || formula.isBinary(.multiply),
        let other = inputs.first(where: { $0 != value })
      {
        if isLinear, let numbers = try channelNumbers(other, axis, shape) {
          let count = shape[axis]
          if formula.isBinary(.add) {
            epilogue.scale(by: [Float](repeating: 1, count: count), adding: numbers)
          } else {
            epilogue.scale(by: numbers, adding: [Float](repeating: 0, count: count))
          }
        } else if formula.isBinary(.add), epilogue.takesAddends, epilogue.addend == nil,
          isAvailable(other),
          case .view(let view)? = places[other], view.shape == shape, view.type == .float32,
          view.strides[axis] == 1
        {
          epilogue.addend = other
          epilogue.addsLast = epilogue.activation != .identity
        } else {
          return false
        }
      } else {
        return false
      }
    default: return false
    }
    epilogue.nodes.append(next)
    epilogue.output = output
    return true
  }

  /// `x f(x)` where f is a gate that makes an activation of it.
  private func gatedActivation(
    of value: ValueID
  ) throws(CompileError) -> (activation: Activation, nodes: [NodeID], output: ValueID)? {
    let users = graph[value].uses.compactMap(\.node)
    guard graph[value].uses.count == 2, users.count == 2 else { return nil }
    for (gate, product) in [(users[0], users[1]), (users[1], users[0])] {
      guard case .elementwise(let formula)? = try facts.kernelComputation(of: gate),
        let function = formula.activation,
        case .elementwise(let multiplication)? = try facts.kernelComputation(of: product),
        multiplication.isBinary(.multiply), let gated = graph[gate].outputs[0],
        soleUse(of: gated) == product, graph[product].inputs.contains(gated),
        let output = graph[product].outputs[0]
      else { continue }
      switch function.function {
      case .sigmoid: return (Activation(.silu, alpha: 1), [gate, product], output)
      case .hardSigmoid where abs(function.alpha - 1 / 6) < 1e-6 && function.beta == 0.5:
        return (Activation(.hardSwish), [gate, product], output)
      default: continue
      }
    }
    return nil
  }

  /// A batch normalization as a factor and an addend for each channel; `nil` unless its parameters are fixed.
  func affine(
    _ id: NodeID, _ normalization: NormalizationComputation
  ) throws(CompileError) -> (factors: [Float], addends: [Float])? {
    guard case .given(let mean, let variance) = normalization.statistics else { return nil }
    let inputs = graph[id].inputs
    let places = [normalization.scale!, normalization.bias!, mean, variance]
    guard places.allSatisfy({ facts.isFixed(inputs[$0]!) }) else { return nil }
    let numbers = try places.map { (place) throws(CompileError) in
      try weights.tensor(inputs[place]!).floats
    }
    let factors = zip(numbers[0], numbers[3]).map { $0 / ($1 + normalization.epsilon).squareRoot() }
    return (factors, zip(zip(numbers[1], numbers[2]), factors).map { $0.0 - $0.1 * $1 })
  }

  /// The elements of a fixed value that broadcasts along all axes but `axis`, one for each index of that.
  private func channelNumbers(
    _ value: ValueID, _ axis: Int, _ shape: [Int]
  ) throws(CompileError) -> [Float]? {
    guard facts.isFixed(value) else { return nil }
    let own = self.shape(of: value)
    guard own.count <= shape.count else { return nil }
    let padded = [Int](repeating: 1, count: shape.count - own.count) + own
    guard padded.indices.allSatisfy({ padded[$0] == 1 || $0 == axis }) else { return nil }
    let numbers = try weights.tensor(value).floats
    return numbers.count == shape[axis]
      ? numbers : [Float](repeating: numbers[0], count: shape[axis])
  }
}
