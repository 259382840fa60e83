import PrunecGraphIR
import PrunecTensors

/// GRU (ONNX opset 7 to 28): gated recurrent units over sequences, with gates z, r, h:
///
///     z = f(X W_z' + H R_z' + b_z)        h = g(X W_h' + (r H) R_h' + b_h)
///     r = f(X W_r' + H R_r' + b_r)        H' = (1 - z) h + z H
///
/// With `linear_before_reset`, `h = g(X W_h' + Wb_h + r (H R_h' + Rb_h))`. Shapes as `RecurrentLayer` says.
/// `clip` bounds the arguments of the gates. Results after the end of a sequence are zero.
///
/// Channels: as for LSTM.
struct GRU: Operator {
  private static let layer = RecurrentLayer(gates: 3, hasCell: false)
  private static let defaults = ["Sigmoid", "Tanh"]
  let signature = GRU.layer.signature("GRU", attributes: ["linear_before_reset": .int(0)])

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
    let isLinearBeforeReset = try call.requiredInt("linear_before_reset") != 0
    return try Self.layer.evaluate(
      self, call, operands, defaults: Self.defaults
    ) { direction, state, x in
      let units = 0..<direction.hidden
      let count = units.count
      let recurrent = direction.recurrence(of: state.hidden, gates: 0..<2)
      let update = units.map { direction.gate(0, x[$0] + recurrent[$0]) }
      let reset = units.map { direction.gate(0, x[count + $0] + recurrent[count + $0]) }
      let candidate: [Float]
      if isLinearBeforeReset {
        let linear = direction.recurrence(of: state.hidden, gates: 2..<3)
        candidate = units.map { direction.gate(1, x[2 * count + $0] + reset[$0] * linear[$0]) }
      } else {
        let left = units.map { reset[$0] * state.hidden[$0] }
        let linear = direction.recurrence(of: left, gates: 2..<3)
        candidate = units.map { direction.gate(1, x[2 * count + $0] + linear[$0]) }
      }
      for j in units {
        state.hidden[j] = (1 - update[j]) * candidate[j] + update[j] * state.hidden[j]
      }
    }
  }

  func macs(_ call: Invocation) -> Int { Self.layer.macs(call) }
}

extension GRU: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let isLinearBeforeReset = try call.requiredInt("linear_before_reset") != 0
    return try Self.layer.computation(
      call, .gatedUnit(isLinearBeforeReset: isLinearBeforeReset), defaults: Self.defaults)
  }
}
