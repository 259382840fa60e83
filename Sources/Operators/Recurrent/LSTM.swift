import PrunecGraphIR
import PrunecTensors

/// LSTM (ONNX opset 7 to 28): long short-term memory over sequences, with gates i, o, f, c:
///
///     i = f(X W_i' + H R_i' + P_i C + b_i)        C' = f_ C + i c     (f_ = 1 - i with `input_forget`)
///     f_ = f(X W_f' + H R_f' + P_f C + b_f)       o = f(X W_o' + H R_o' + P_o C' + b_o)
///     c = g(X W_c' + H R_c' + b_c)                H' = o h(C')
///
/// Shapes as `RecurrentLayer` says; P holds i, o, f. `clip` bounds the arguments of the gates. Results
/// after the end of a sequence are zero.
///
/// Channels: hidden unit j is one row of every gate in W, R, B and P, in both directions, and index j of
/// R's last axis and of every state and result. X's last axis is summed over and goes with W's; R's is
/// multiplied with the node's own state. `hidden_size` follows. Steps and directions stay.
struct LSTM: Operator {
  static let layer = RecurrentLayer(gates: 4, hasCell: true)
  static let defaults = ["Sigmoid", "Tanh", "Tanh"]
  let signature = LSTM.layer.signature("LSTM", attributes: ["input_forget": .int(0)])

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    try Self.layer.inferFacts(call)
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Self.layer.relate(call, &relations)
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    try Self.layer.adapt(call, to: cut)
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let isCoupled = try call.requiredInt("input_forget") != 0
    return try Self.layer.evaluate(
      self, call, operands, defaults: Self.defaults
    ) { direction, state, x in
      let recurrent = direction.recurrence(of: state.hidden, gates: 0..<4)
      Self.advance(direction, &state, zip(x, recurrent).map { $0 + $1 }, isCoupled: isCoupled)
    }
  }

  /// Makes the state after a step from the one before it, and from what X and the state before make of every gate.
  static func advance(
    _ direction: RecurrentLayer.Direction, _ state: inout RecurrentLayer.State, _ sums: [Float],
    isCoupled: Bool
  ) {
    let count = direction.hidden
    let peepholes = direction.peepholes
    for j in 0..<count {
      let before = state.cell[j]
      let input = direction.gate(0, sums[j] + peepholes[j] * before)
      let forget =
        isCoupled
        ? 1 - input
        : direction.gate(0, sums[2 * count + j] + peepholes[2 * count + j] * before)
      let cell = forget * before + input * direction.gate(1, sums[3 * count + j])
      let output = direction.gate(0, sums[count + j] + peepholes[count + j] * cell)
      state.cell[j] = cell
      state.hidden[j] = output * direction.activate(2, cell)
    }
  }

  func macs(_ call: Invocation) -> Int { Self.layer.macs(call) }
}

extension LSTM: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    guard try call.requiredInt("input_forget") == 0 else { return nil }
    return try Self.layer.computation(call, .longShortTermMemory, defaults: Self.defaults)
  }
}
