/// Layers that walk along a sequence and feed their state back.
let recurrentOperators: [any Operator] = [
  DynamicQuantizeLSTM(),
  GRU(),
  LSTM(),
  RNN(),
]
