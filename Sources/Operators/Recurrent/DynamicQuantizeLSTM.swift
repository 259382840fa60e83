import PrunecGraphIR
import PrunecTensors

/// DynamicQuantizeLSTM (of onnxruntime's own operators, version 1): LSTM with weights in integers of eight bits, and
/// what they are multiplied with quantised as DynamicQuantizeLinear does it: X as a whole, and the hidden states of
/// all sequences at each step.
///
/// Shapes as `RecurrentLayer` says, but for `W [D, I, 4 H]` and `R [D, H, 4 H]`, with `W_scale`, `W_zero_point`,
/// `R_scale` and `R_zero_point [D]`, or `[D, 4 H]`, behind P.
///
/// Channels: X's last axis is summed over and goes with W's. Hidden units are pinned: the range of all of them says
/// how the state is quantised.
struct DynamicQuantizeLSTM: Operator {
  private enum Operand {
    static let (x, w, r, b, lengths, hidden, cell, peepholes) = (0, 1, 2, 3, 4, 5, 6, 7)
    static let (wScale, wZero, rScale, rZero) = (8, 9, 10, 11)
  }

  let signature = Signature(
    "DynamicQuantizeLSTM", domain: Signature.runtimeDomain, opsets: 1...1, operands: 3...12,
    results: 1...3,
    attributes: LSTM().signature.attributes.filter { $0.key != "layout" })

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    for index in [Operand.wScale, Operand.wZero, Operand.rScale, Operand.rZero] {
      guard call.operand(index) != nil else { throw call.malformed("operand \(index) is missing") }
    }
    for (weight, scale) in [(Operand.w, Operand.wScale), (Operand.r, Operand.rScale)] {
      try ZeroPoints.requireBytes(call, weight, scale + 1)
      try call.requireSameType(weight, scale + 1)
      try call.requireFloatingPoint(scale)
      guard let shape = call.shape(weight) else { continue }
      guard shape.count == 3 else {
        throw call.malformed("operand \(weight) has \(shape.count) axes instead of 3")
      }
      for index in [scale, scale + 1] {
        guard let own = call.shape(index)?.map(\.fixedExtent) else { continue }
        let expected = [shape[0].fixedExtent, shape[2].fixedExtent].prefix(own.count)
        guard (1...2).contains(own.count), zip(own, expected).allSatisfy({ $0 ?? $1 == $1 ?? $0 })
        else { throw call.malformed("operand \(index) does not fit operand \(weight)") }
      }
    }
    return call.forResults(try LSTM().inferFacts(twin(call)))
  }

  /// The LSTM with weights that are no integers.
  private func twin(_ call: Invocation) -> Invocation {
    var operands = Array(call.operands.prefix(Operand.wScale))
    for index in [Operand.w, Operand.r] {
      let shape = call.shape(index)
      operands[index] = ValueFacts(.float32, shape.map { [$0[0], $0[2], $0[1]] })
    }
    var twin = call.floatTwin(LSTM().signature, opset: 14, operands: operands)
    twin.results = call.results
    return twin
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks else { return }
    relations.equal(.operand(Operand.x, axis: 2), .operand(Operand.w, axis: 1))
    relations.sum(over: .operand(Operand.x, axis: 2))
    let sequence = AxisReference.operand(Operand.x, axis: 1)
    if call.operand(Operand.lengths) != nil {
      relations.equal(sequence, .operand(Operand.lengths, axis: 0))
    }
    for operand in [Operand.hidden, Operand.cell] where call.operand(operand) != nil {
      relations.equal(sequence, .operand(operand, axis: 1))
    }
    for (index, result) in call.results.enumerated() where result.shape != nil {
      relations.equal(sequence, .result(index, axis: index == 0 ? 2 : 1))
      relations.pin(
        .result(index, axis: index == 0 ? 3 : 2),
        because: "the range of all hidden units says how they are quantised")
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func macs(_ call: Invocation) -> Int { LSTM.layer.macs(call) }
}

extension DynamicQuantizeLSTM {
  /// The weights of one direction, `[inputs, outputs]`, less their zero points.
  private struct Weights {
    let integers: [Int]
    let scales: [Float]
    let (inputs, outputs): (Int, Int)

    init(_ tensor: Tensor, scale: Tensor, zeroPoint: Tensor, direction: Int) {
      (inputs, outputs) = (tensor.shape[1], tensor.shape[2])
      let outputs = outputs
      /// Those of each output.
      func own<Number>(_ numbers: [Number]) -> [Number] {
        numbers.count == tensor.shape[0]
          ? [Number](repeating: numbers[direction], count: outputs)
          : Array(numbers[(direction * outputs)..<((direction + 1) * outputs)])
      }
      scales = own(scale.floats)
      let zeros = own(zeroPoint.integers)
      let size = inputs * outputs
      integers = tensor.integers[(direction * size)..<((direction + 1) * size)].enumerated().map {
        $1 - zeros[$0 % outputs]
      }
    }

    /// The product of rows, which are quantised together.
    func product(_ rows: [Float], count: Int) -> [Float] {
      let (quantized, scale, zero) = DynamicQuantizeLinear.quantize(rows)
      var sums = [Int](repeating: 0, count: count * outputs)
      guard inputs > 0, !sums.isEmpty else { return sums.map(Float.init) }
      let left = quantized.map { Int($0) - Int(zero) }
      left.withUnsafeBufferPointer { left in
        integers.withUnsafeBufferPointer { right in
          sums.withUnsafeMutableBufferPointer { sums in
            MatrixProduct.accumulate(
              left.baseAddress!, right.baseAddress!, into: sums.baseAddress!, m: count, k: inputs,
              n: outputs)
          }
        }
      }
      return sums.enumerated().map { Float($1) * (scale * scales[$0 % outputs]) }
    }
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let isCoupled = try call.requiredInt("input_forget") != 0
    func operand(_ index: Int) -> Tensor? { index < operands.count ? operands[index] : nil }
    let (x, w, r) = (operands[Operand.x]!, operands[Operand.w]!, operands[Operand.r]!)
    let (steps, batch, count, hidden) = (x.shape[0], x.shape[1], r.shape[0], r.shape[1])
    let lengths = operand(Operand.lengths)?.integers ?? [Int](repeating: steps, count: batch)
    guard lengths.allSatisfy({ (0...steps).contains($0) }) else {
      throw call.malformed("a sequence is longer than \(steps) steps")
    }
    let directions = try LSTM.layer.directions(
      call, hidden: hidden, count: count, recurrent: Tensor(zeros: .float32, shape: r.shape),
      bias: operand(Operand.b)?.floats, peepholes: operand(Operand.peepholes)?.floats,
      LSTM.defaults)
    let zeros = [Float](repeating: 0, count: count * batch * hidden)
    var y = [Float](repeating: 0, count: steps * count * batch * hidden)
    var final = RecurrentLayer.State(
      hidden: operand(Operand.hidden)?.floats ?? zeros, cell: operand(Operand.cell)?.floats ?? zeros
    )
    for (d, (direction, bias)) in directions.enumerated() {
      let isReverse = d == 1 || call.string("direction") == "reverse"
      let recurrent = Weights(
        r, scale: operands[Operand.rScale]!, zeroPoint: operands[Operand.rZero]!, direction: d)
      let projected = Weights(
        w, scale: operands[Operand.wScale]!, zeroPoint: operands[Operand.wZero]!, direction: d
      ).product(x.floats, count: steps * batch)
      let biases = zip(bias, direction.recurrentBias).map { $0 + $1 }
      let places = (d * batch * hidden)..<((d + 1) * batch * hidden)
      for s in 0..<steps {
        let products = recurrent.product(Array(final.hidden[places]), count: batch)
        for n in 0..<batch where s < lengths[n] {
          let t = isReverse ? lengths[n] - 1 - s : s
          let sums = biases.indices.map {
            biases[$0] + projected[(t * batch + n) * biases.count + $0]
              + products[n * biases.count + $0]
          }
          let own = (places.lowerBound + n * hidden)..<(places.lowerBound + (n + 1) * hidden)
          var state = RecurrentLayer.State(
            hidden: Array(final.hidden[own]), cell: Array(final.cell[own]))
          LSTM.advance(direction, &state, sums, isCoupled: isCoupled)
          final.hidden.replaceSubrange(own, with: state.hidden)
          final.cell.replaceSubrange(own, with: state.cell)
          let target = ((t * count + d) * batch + n) * hidden
          y.replaceSubrange(target..<(target + hidden), with: state.hidden)
        }
      }
    }
    let shape = [count, batch, hidden]
    let results = [
      Tensor(y, shape: [steps, count, batch, hidden]), Tensor(final.hidden, shape: shape),
      Tensor(final.cell, shape: shape),
    ]
    return Array(results.prefix(resolved.results.count))
  }
}
