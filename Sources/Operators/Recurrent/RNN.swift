import PrunecGraphIR
import PrunecTensors

/// RNN (ONNX opset 7 to 28): plain recurrent units over sequences, `H' = f(X W' + H R' + b)`. Shapes as
/// `RecurrentLayer` says, with one gate. `clip` bounds the argument of f. Results after the end of a
/// sequence are zero.
///
/// Channels: as for LSTM.
struct RNN: Operator {
  private static let layer = RecurrentLayer(gates: 1, hasCell: false)
  private static let defaults = ["Tanh"]
  let signature = RNN.layer.signature("RNN", attributes: [:])

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
    try Self.layer.evaluate(self, call, operands, defaults: Self.defaults) { direction, state, x in
      let recurrent = direction.recurrence(of: state.hidden, gates: 0..<1)
      state.hidden = x.indices.map { direction.gate(0, x[$0] + recurrent[$0]) }
    }
  }

  func macs(_ call: Invocation) -> Int { Self.layer.macs(call) }
}

extension RNN: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    try Self.layer.computation(call, .plain, defaults: Self.defaults)
  }
}
