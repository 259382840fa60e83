import PrunecGraphIR
import PrunecTensors

/// What LSTM, GRU and RNN have in common: everything but the formulas of a step.
///
/// With `S` steps, `N` sequences, `D` directions (two if bidirectional), `G` gates and `H` hidden units:
/// `X [S, N, I]`, `W [D, G H, I]`, `R [D, G H, H]`, `B [D, 2 G H]` (that of W, then that of R),
/// `sequence_lens [N]`, `initial_h`, `initial_c [D, N, H]`, `P [D, 3 H]`; `Y [S, D, N, H]`, `Y_h`,
/// `Y_c [D, N, H]`. With `layout = 1` the axis N comes first in X, Y and the states.
struct RecurrentLayer {
  /// Number of gates G, which are blocks of H rows each.
  let gates: Int
  /// Whether there is a cell beside the hidden state, with peepholes and results of its own.
  let hasCell: Bool

  func signature(_ type: String, attributes: [String: Attribute.Value?]) -> Signature {
    let common: [String: Attribute.Value?] = [
      "activation_alpha": nil, "activation_beta": nil, "activations": nil, "clip": nil,
      "direction": .string(Array("forward".utf8)), "hidden_size": nil, "layout": .int(0),
    ]
    return Signature(
      type, operands: 3...(hasCell ? 8 : 6), results: 1...(hasCell ? 3 : 2),
      attributes: common.merging(attributes) { $1 })
  }

  // MARK: Facts

  /// Where the axes are.
  private struct Layout {
    let isBatchFirst: Bool

    init(_ call: Invocation) throws(CompileError) {
      let layout = try call.requiredInt("layout")
      guard layout == 0 || layout == 1 else { throw call.malformed("layout is \(layout)") }
      isBatchFirst = layout == 1
    }

    /// The axis of sequences in X.
    var batchOfX: Int { isBatchFirst ? 0 : 1 }
    /// The axis of sequences in Y.
    var batchOfY: Int { isBatchFirst ? 0 : 2 }
    /// The axis of sequences in a state.
    var batchOfState: Int { isBatchFirst ? 0 : 1 }

    func x<T>(steps: T, batch: T, inputs: T) -> [T] {
      isBatchFirst ? [batch, steps, inputs] : [steps, batch, inputs]
    }

    func y<T>(steps: T, directions: T, batch: T, hidden: T) -> [T] {
      isBatchFirst ? [batch, steps, directions, hidden] : [steps, directions, batch, hidden]
    }

    func state<T>(directions: T, batch: T, hidden: T) -> [T] {
      isBatchFirst ? [batch, directions, hidden] : [directions, batch, hidden]
    }
  }

  private enum Operand {
    static let (x, w, r, b, lengths, hidden, cell, peepholes) = (0, 1, 2, 3, 4, 5, 6, 7)
  }

  private func directions(_ call: Invocation) throws(CompileError) -> Int {
    switch call.string("direction") {
    case "forward", "reverse": return 1
    case "bidirectional": return 2
    default: throw call.malformed("'direction' is none that there is")
    }
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try call.commonElementType([0, 1, 2, 3, 5, 6, 7])
    if let type, !type.isFloatingPoint { throw call.malformed("X is of type \(type.name)") }
    if let type = call.elementType(Operand.lengths), type != .int32 {
      throw call.malformed("sequence_lens are of type \(type.name)")
    }
    let layout = try Layout(call)
    var extents = Extents(call)
    let directions = try directions(call)
    try extents.meet(\.directions, .fixed(directions))
    if let size = call.int("hidden_size") {
      guard size > 0 else { throw call.malformed("hidden_size is \(size)") }
      try extents.meet(\.hidden, .fixed(size))
    }

    try extents.meet(
      Operand.x, layout.x(steps: \.steps, batch: \.batch, inputs: \.inputs))
    try extents.meet(Operand.w, [\.directions, nil, \.inputs])
    try extents.meet(Operand.r, [\.directions, nil, \.hidden])
    try extents.meet(Operand.b, [\.directions, nil])
    try extents.meet(Operand.lengths, [\.batch])
    let state = layout.state(directions: \Extents.directions, batch: \.batch, hidden: \.hidden)
    try extents.meet(Operand.hidden, state)
    if hasCell {
      try extents.meet(Operand.cell, state)
      try extents.meet(Operand.peepholes, [\.directions, nil])
    }
    let rows = [(Operand.w, gates), (Operand.r, gates), (Operand.b, 2 * gates)]
    for (operand, blocks) in rows + (hasCell ? [(Operand.peepholes, 3)] : []) {
      guard let total = call.shape(operand)?[1].fixedExtent else { continue }
      guard total % blocks == 0 else {
        throw call.malformed("operand \(operand) has \(total) rows for \(blocks) blocks")
      }
      try extents.meet(\.hidden, .fixed(total / blocks))
    }

    let (batch, hidden) = (extents.batch, extents.hidden)
    let y = layout.y(
      steps: extents.steps, directions: .fixed(directions), batch: batch, hidden: hidden)
    let final = ValueFacts(
      type, layout.state(directions: .fixed(directions), batch: batch, hidden: hidden))
    return call.forResults([ValueFacts(type, y), final] + (hasCell ? [final] : []))
  }

  /// The extents that axes of several operands share, as far as they are known.
  private struct Extents {
    let call: Invocation
    var steps = Dimension.unknown
    var batch = Dimension.unknown
    var inputs = Dimension.unknown
    var hidden = Dimension.unknown
    var directions = Dimension.unknown

    init(_ call: Invocation) { self.call = call }

    /// Holds an operand's axes against the extents that they share with others.
    mutating func meet(
      _ operand: Int, _ axes: [WritableKeyPath<Extents, Dimension>?]
    ) throws(CompileError) {
      guard let shape = call.shape(operand) else { return }
      guard shape.count == axes.count else {
        throw call.malformed("operand \(operand) has \(shape.count) axes instead of \(axes.count)")
      }
      for (dimension, axis) in zip(shape, axes) {
        if let axis { try meet(axis, Dimension(dimension.extent)) }
      }
    }

    mutating func meet(
      _ axis: WritableKeyPath<Extents, Dimension>, _ dimension: Dimension
    ) throws(CompileError) {
      switch (self[keyPath: axis].extent, dimension.extent) {
      case (.fixed(let a), .fixed(let b)):
        guard a == b else { throw call.malformed("extents \(a) and \(b) differ") }
      case (.fixed, _), (_, .unknown), (.symbol, .symbol): break
      default: self[keyPath: axis] = dimension
      }
    }
  }

  // MARK: Channels

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let layout = try? Layout(call),
      let hidden = call.shape(Operand.r)?[2].fixedExtent, hidden > 0
    else { return }
    relations.equal(.operand(Operand.x, axis: 2), .operand(Operand.w, axis: 2))
    relations.sum(over: .operand(Operand.x, axis: 2))
    relations.sum(over: .operand(Operand.w, axis: 2))

    let unit = AxisReference.operand(Operand.r, axis: 2)
    relations.sum(overCoefficient: unit)
    let rows = [(Operand.w, gates), (Operand.r, gates), (Operand.b, 2 * gates)]
    for (operand, blocks) in rows + (hasCell ? [(Operand.peepholes, 3)] : []) {
      guard call.operand(operand) != nil else { continue }
      for block in 0..<blocks {
        relations.section(unit, of: .operand(operand, axis: 1), start: block * hidden)
      }
    }
    let sequence = AxisReference.operand(Operand.x, axis: layout.batchOfX)
    if call.operand(Operand.lengths) != nil {
      relations.equal(sequence, .operand(Operand.lengths, axis: 0))
    }
    for operand in [Operand.hidden, Operand.cell] where call.operand(operand) != nil {
      relations.equal(unit, .operand(operand, axis: 2))
      relations.equal(sequence, .operand(operand, axis: layout.batchOfState))
    }
    // A result that the node leaves out has no shape.
    for (index, result) in call.results.enumerated() where result.shape != nil {
      relations.equal(unit, .result(index, axis: index == 0 ? 3 : 2))
      relations.equal(
        sequence, .result(index, axis: index == 0 ? layout.batchOfY : layout.batchOfState))
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard call.has("hidden_size"), let kept = cut[.operand(Operand.r, axis: 2)] else { return [] }
    return [.attribute(Attribute("hidden_size", kept.count))]
  }

  func macs(_ call: Invocation) -> Int {
    guard let x = call.shape(Operand.x), x.count == 3, let w = call.shape(Operand.w),
      let r = call.shape(Operand.r)
    else { return 0 }
    let products = [w, r].map { $0.reduce(1) { $0 &* $1.nominalExtent } }
    return (products[0] &+ products[1]) &* x[0].nominalExtent &* x[1].nominalExtent
  }

  // MARK: Kernels

  /// The computation of a node with a given cell; `nil` where it has what kernels do not cover.
  func computation(
    _ call: Invocation, _ cell: RecurrenceComputation.Cell, defaults: [String]
  ) throws(CompileError) -> Computation? {
    let directions = try directions(call)
    guard call.operand(Operand.peepholes) == nil,
      !call.has("clip")
    else { return nil }
    if call.has("activations") {
      let expected = Array(repeating: defaults, count: directions).joined()
      guard
        case .strings(let given)? = call.attributes.first(where: { $0.name == "activations" })?
          .value, given.map({ String(decoding: $0, as: UTF8.self) }) == Array(expected)
      else { return nil }
    }
    let layout = try Layout(call)
    let first = call.string("direction") == "reverse"
    return .recurrence(
      RecurrenceComputation(
        cell: cell, isBatchFirst: layout.isBatchFirst,
        directions: directions == 2 ? [false, true] : [first]))
  }

  // MARK: Evaluation

  /// The state of one sequence.
  struct State {
    var hidden: [Float]
    var cell: [Float]
  }

  /// What a step needs of one direction.
  struct Direction {
    /// Number of hidden units.
    let hidden: Int
    /// `[G H, H]`
    fileprivate let recurrent: [Float]
    /// `[G H]`
    let recurrentBias: [Float]
    /// `[3 H]`
    let peepholes: [Float]
    fileprivate let activations: [@Sendable (Float) -> Float]
    fileprivate let clip: Float

    /// `state R' + Rb` for the given gates.
    func recurrence(of state: [Float], gates: Range<Int>) -> [Float] {
      let rows = (gates.lowerBound * hidden)..<(gates.upperBound * hidden)
      var sums = Array(recurrentBias[rows])
      guard hidden > 0 else { return sums }
      recurrent.withUnsafeBufferPointer { weights in
        state.withUnsafeBufferPointer { state in
          sums.withUnsafeMutableBufferPointer { sums in
            MatrixProduct.accumulateTransposed(
              state.baseAddress!, weights.baseAddress! + rows.lowerBound * hidden,
              into: sums.baseAddress!, m: 1, k: hidden, n: rows.count)
          }
        }
      }
      return sums
    }

    /// Activation function `index` of a gate, whose argument is clipped.
    func gate(_ index: Int, _ x: Float) -> Float { activations[index](max(-clip, min(clip, x))) }

    /// Activation function `index`, for what is no gate.
    func activate(_ index: Int, _ x: Float) -> Float { activations[index](x) }
  }

  /// Walks along all sequences. `step` gets the state before a step and `x W' + Wb` for all gates, and
  /// makes the state after it. `defaults` are the activation functions of one direction.
  func evaluate(
    _ found: some Operator, _ call: Invocation, _ operands: [Tensor?], defaults: [String],
    step: (Direction, inout State, [Float]) -> Void
  ) throws(CompileError) -> [Tensor] {
    let resolved = try found.resolve(call, on: operands)
    let layout = try Layout(call)
    func operand(_ index: Int) -> Tensor? { index < operands.count ? operands[index] : nil }
    var x = operands[Operand.x]!
    if layout.isBatchFirst { x = x.transposed([1, 0, 2]) }
    let (w, r) = (operands[Operand.w]!, operands[Operand.r]!)
    let (steps, batch, inputs) = (x.shape[0], x.shape[1], x.shape[2])
    let (directions, hidden) = (r.shape[0], r.shape[2])
    let rows = gates * hidden
    // The states with the axis of directions first, however they are laid out.
    func initial(_ index: Int) -> [Float] {
      guard let state = operand(index) else {
        return [Float](repeating: 0, count: directions * batch * hidden)
      }
      return (layout.isBatchFirst ? state.transposed([1, 0, 2]) : state).floats
    }
    let lengths =
      operand(Operand.lengths)?.integers ?? [Int](repeating: steps, count: batch)
    guard lengths.allSatisfy({ (0...steps).contains($0) }) else {
      throw call.malformed("a sequence is longer than \(steps) steps")
    }
    let (hiddenStates, cells) = (initial(Operand.hidden), initial(Operand.cell))
    let parts = try self.directions(
      call, hidden: hidden, count: directions, recurrent: r, bias: operand(Operand.b)?.floats,
      peepholes: operand(Operand.peepholes)?.floats, defaults)
    let (data, weights) = (x.floats, w.floats)

    var y = [Float](repeating: 0, count: steps * directions * batch * hidden)
    var final = State(
      hidden: [Float](repeating: 0, count: directions * batch * hidden),
      cell: [Float](repeating: 0, count: directions * batch * hidden))
    for (d, (direction, bias)) in parts.enumerated() {
      var projected = (0..<(steps * batch)).flatMap { _ in bias }
      if inputs > 0, !projected.isEmpty {
        data.withUnsafeBufferPointer { data in
          weights.withUnsafeBufferPointer { weights in
            projected.withUnsafeMutableBufferPointer { projected in
              MatrixProduct.accumulateTransposed(
                data.baseAddress!, weights.baseAddress! + d * rows * inputs,
                into: projected.baseAddress!, m: steps * batch, k: inputs, n: rows)
            }
          }
        }
      }
      let isReverse = d == 1 || call.string("direction") == "reverse"
      for n in 0..<batch where lengths[n] > 0 {
        let place = (d * batch + n) * hidden
        var state = State(
          hidden: Array(hiddenStates[place..<(place + hidden)]),
          cell: Array(cells[place..<(place + hidden)]))
        for s in 0..<lengths[n] {
          let t = isReverse ? lengths[n] - 1 - s : s
          let row = (t * batch + n) * rows
          step(direction, &state, Array(projected[row..<(row + rows)]))
          let target = ((t * directions + d) * batch + n) * hidden
          y.replaceSubrange(target..<(target + hidden), with: state.hidden)
        }
        final.hidden.replaceSubrange(place..<(place + hidden), with: state.hidden)
        final.cell.replaceSubrange(place..<(place + hidden), with: state.cell)
      }
    }
    func tensor(_ elements: [Float], _ shape: [Int], _ permutation: [Int]) -> Tensor {
      let tensor = Tensor(rounding: elements, to: x.elementType, shape: shape)
      return layout.isBatchFirst ? tensor.transposed(permutation) : tensor
    }
    let shape = [directions, batch, hidden]
    let results =
      [tensor(y, [steps, directions, batch, hidden], [2, 0, 1, 3])]
      + [final.hidden, final.cell].map { tensor($0, shape, [1, 0, 2]) }
    return Array(results.prefix(resolved.results.count))
  }

  /// Each direction with the bias that is added to what comes from X.
  func directions(
    _ call: Invocation, hidden: Int, count: Int, recurrent: Tensor, bias: [Float]?,
    peepholes: [Float]?, _ defaults: [String]
  ) throws(CompileError) -> [(Direction, bias: [Float])] {
    var names = (0..<count).flatMap { _ in defaults }
    if call.has("activations") {
      guard
        case .strings(let given)? = call.attributes.first(where: { $0.name == "activations" })?
          .value, given.count >= names.count
      else { throw call.malformed("'activations' must list \(names.count) functions") }
      names = given.prefix(names.count).map { String(decoding: $0, as: UTF8.self) }
    }
    let activations = try NamedActivation.all(
      names, alphas: call.floats("activation_alpha") ?? [],
      betas: call.floats("activation_beta") ?? [], call)
    let rows = gates * hidden
    let weights = recurrent.floats
    let zeros = [Float](repeating: 0, count: max(rows, 3 * hidden))
    return (0..<count).map { d in
      let direction = Direction(
        hidden: hidden,
        recurrent: Array(weights[(d * rows * hidden)..<((d + 1) * rows * hidden)]),
        recurrentBias: bias.map { Array($0[((2 * d + 1) * rows)..<((2 * d + 2) * rows)]) }
          ?? Array(zeros.prefix(rows)),
        peepholes: peepholes.map { Array($0[(3 * d * hidden)..<(3 * (d + 1) * hidden)]) } ?? zeros,
        activations: Array(activations[(d * defaults.count)..<((d + 1) * defaults.count)]),
        clip: call.float("clip") ?? .infinity)
      let own = bias.map { Array($0[(2 * d * rows)..<((2 * d + 1) * rows)]) }
      return (direction, own ?? Array(zeros.prefix(rows)))
    }
  }
}
