import PrunecCoupling
import PrunecGraphIR
import PrunecLinearAlgebra
import PrunecTensors

/// The fit of a small network's layers to the original's results, one after the other.
package struct Reconstruction {
  /// Change of a constant of the small network.
  package enum Change: Sendable {
    case constant(ValueID, Tensor)
    /// A new constant as an operand of a node, along whose last axis lies, once or several times in a row, an element for each index
    /// that stays of `channels`.
    case operand(Int, of: NodeID, named: String, Tensor, channels: Axis)
  }

  /// The channels that a layer, which alone reads them, does not lose.
  package struct Selection: Sendable {
    /// For each channel the indices of the layer's input that hold it.
    package let indices: [[Int]]
    /// Increasing.
    package var kept: [Int]

    package init(indices: [[Int]], kept: [Int]) { (self.indices, self.kept) = (indices, kept) }
  }

  /// For nodes of layers the channels of their input that stay: all of them are still there in the small network, and those
  /// that stay are chosen anew, as many as before, when the layer is reached.
  package var selections: [NodeID: Selection] = [:]

  private let original: StagedRun
  private let now: StagedRun
  private let kept: [Axis: [Int]]
  private let rowLimit: Int
  private let leastRidge: Double
  private let seed: UInt64
  private let products = RowProducts()
  private var changes: [Change] = []
  /// For constants that stand for quantised ones in `now`, those.
  private let quantized: [ValueID: QuantizedConstant]
  /// For each weight that has been quantised anew its name, and the change that rounding makes of the layer's results on the samples,
  /// relatively.
  package private(set) var roundings: [(name: String, error: Double)] = []

  /// `small` has been made from `original` by taking out all but `kept`. The pull of fits towards the old weights has at least the
  /// strength `leastRidge` (`LinearFit`).
  package init(
    original: Graph, small: Graph, kept: [Axis: [Int]], _ batches: some CalibrationBatches,
    rowLimit: Int, leastRidge: Double, seed: UInt64
  ) throws(CompileError) {
    var small = small
    quantized = QuantizedConstant.unpack(in: &small)
    self.original = try StagedRun(original, batches)
    now = try StagedRun(small, batches)
    (self.kept, self.rowLimit, self.leastRidge, self.seed) = (kept, rowLimit, leastRidge, seed)
  }

  /// Fits all layers. `progress` gets the share that is done.
  package mutating func run(
    _ progress: ((Double) -> Void)? = nil
  ) throws(CompileError) -> [Change] {
    let nodes = Array(now.graph.nodes)
    for (index, node) in nodes.enumerated() {
      progress?(Double(index) / Double(nodes.count))
      guard original.graph.node(node) != nil else { continue }
      if !LinearLayer.layers(of: node, now.graph, now.facts).isEmpty {
        guard let fittable = FittableLayer(node, now.graph, now.facts), fittable.form.inputs > 1
        else { continue }
        try fit(fittable)
      } else if let normalization = FittableNormalization(node, now.graph, now.facts),
        [normalization.scale, normalization.bias].allSatisfy({
          $0.map { quantized[$0] == nil } ?? true
        })
      {
        try fit(normalization)
      }
    }
    return changes
  }

  // MARK: Layers

  private mutating func fit(_ fittable: FittableLayer) throws(CompileError) {
    try now.advance(before: fittable.layer.node)
    try original.advance(before: fittable.layer.node)
    let readsWhatItDid = !hasChanged(fittable.layer.data)
    let skip = fittable.form.makesResult ? skip(behind: fittable.result) : nil
    let isSelecting = selections[fittable.layer.node] != nil
    if !isSelecting, readsWhatItDid, !(skip.map(hasChanged) ?? false) { return }
    guard let target = LayerTarget(of: fittable, original, kept) else { return }
    let form = fittable.form
    let weight = now.graph[fittable.layer.weight].constant!
    let biases = takesBias(fittable) ? fittable.biasElements(now.graph) : nil
    var elements = weight.floats
    var newBiases = biases
    let sums = try moments(fittable, target, skip: skip)
    for (group, sums) in sums.enumerated() {
      let rows = (group * form.outputs)..<((group + 1) * form.outputs)
      let prior = LinearFit(
        matrix: form.matrix(of: weight, group: group).map(Double.init),
        bias: biases.map { $0[rows].map(Double.init) })
      let found =
        isSelecting
        ? selectingFit(fittable, prior, sums)
        : LinearFit.validated(
          fit: sums.fit, validation: sums.validation, prior: prior.matrix, priorBias: prior.bias,
          leastStrength: leastRidge)
      let (matrix, bias) = (found.matrix.map(Float.init), found.bias?.map(Float.init))
      // What single precision cannot express is left as it was.
      guard matrix.allSatisfy(\.isFinite), bias?.allSatisfy(\.isFinite) ?? true else { continue }
      form.put(matrix, group: group, into: &elements)
      if let bias { newBiases?.replaceSubrange(rows, with: bias) }
    }
    let fitted = Tensor(rounding: elements, to: weight.elementType, shape: weight.shape)
    guard let quantized = quantized[fittable.layer.weight] else {
      set(fittable.layer.weight, to: fitted)
      if let newBiases { setBias(of: fittable, to: newBiases, weight.elementType) }
      return
    }
    guard let rounding = quantized.rounding(elements) else { return }
    let all = sums.map { $0.fit + $0.validation }
    // Rounding may take away all that has been gained.
    guard
      isSelecting
        || form.error(of: rounding.tensor, newBiases, on: all)
          < form.error(of: weight, biases, on: all)
    else { return }
    roundings.append(
      (quantized.name, form.relativeChange(of: fitted, to: rounding.tensor, on: all)))
    store(rounding, as: fittable.layer.weight)
    if let newBiases {
      setBias(
        of: fittable, to: newBiases, weight.elementType, scaleFactors: rounding.scaleFactors)
    }
  }

  /// Whether a layer may have a bias: one that runtimes compute in integers is not given one in floating point.
  private func takesBias(_ fittable: FittableLayer) -> Bool {
    if case .absent = fittable.bias { quantized[fittable.layer.weight] == nil } else { true }
  }

  /// The fit of a layer whose inputs are chosen anew, zero for those that go.
  private mutating func selectingFit(
    _ fittable: FittableLayer, _ prior: LinearFit, _ sums: (fit: Moments, validation: Moments)
  ) -> LinearFit {
    let node = fittable.layer.node
    let length = fittable.form.rowLength
    let elements = fittable.form.rowElements(alongInput: fittable.form.inputAxes[0])
    let places = selections[node]!.indices.map { $0.flatMap { elements[$0] } }
    let count = selections[node]!.kept.count
    // Weights that suit the layer's present inputs make up for the channels that go.
    let both = sums.fit + sums.validation
    let whole = LinearFit.ridge(
      both, prior: prior.matrix, strength: ChannelConsumer.ridge, hasBias: prior.bias != nil)
    let consumer = ChannelConsumer(
      layer: fittable, moments: both,
      matrix: whole?.matrix ?? prior.matrix, places: places)
    if var elimination = ChannelElimination([consumer], channelCount: places.count) {
      selections[node]!.kept = elimination.run().suffix(count).map(\.channel).sorted()
    }
    let stays = selections[node]!.kept.flatMap { places[$0] }.sorted()
    let rows = fittable.form.outputs
    let found = LinearFit.validated(
      fit: sums.fit.keeping(inputs: stays), validation: sums.validation.keeping(inputs: stays),
      prior: LinearAlgebra.submatrix(of: prior.matrix, width: length, columns: stays),
      priorBias: prior.bias, leastStrength: leastRidge)
    var matrix = [Double](repeating: 0, count: rows * length)
    for row in 0..<rows {
      for (column, place) in stays.enumerated() {
        matrix[row * length + place] = found.matrix[row * stays.count + column]
      }
    }
    return LinearFit(matrix: matrix, bias: found.bias)
  }

  /// The sums of rows and targets of every group: of most batches, and of those that the fit is judged on.
  private func moments(
    _ fittable: FittableLayer, _ target: LayerTarget, skip: ValueID?
  ) throws(CompileError) -> [(fit: Moments, validation: Moments)] {
    let form = fittable.form
    try MemoryLimit.ask(
      2 * 8 * form.groups * form.rowLength * (form.rowLength + form.outputs),
      for: "what a layer is fitted to", at: now.graph.location(of: fittable.layer.node))
    let none = MomentsAccumulator(inputs: form.rowLength, outputs: form.outputs)
    var sums = [(fit: MomentsAccumulator, validation: MomentsAccumulator)](
      repeating: (none, none), count: form.groups)
    var chooser = Positions(seed: seed &+ UInt64(fittable.layer.node.rawValue))
    let enough = LayerStatistics.rowCount(form, limit: rowLimit)
    let limit = max(1, enough / now.batchCount)
    // The original, which does not depend on the fit, goes on until nothing reads the result any more.
    let end = original.lastReader(of: fittable.result, from: fittable.last, notBeyond: isFitted)
    try original.advance(past: end, observing: [target.value] + (skip.map { [$0] } ?? [])) {
      (batch, tensors) throws(CompileError) in
      guard let data = now.tensor(fittable.layer.data, ofBatch: batch),
        let tensor = tensors[target.value] ?? original.graph[target.value].constant
      else { return }
      let shape = tensor.shape
      let count = target.positionCount(shape)
      guard form.hasRows(count, inData: data.shape) else { return }
      let positions = chooser.choose(limit, of: count)
      var targets = target.targets(of: tensor, at: positions)
      if let skip, let before = tensors[skip],
        let after = now.tensor(skip, ofBatch: batch), before.shape == shape
      {
        let missing = target.targets(of: before, at: positions)
        let there = form.results(
          of: after, at: positions, channels: Array(0..<(form.groups * form.outputs)))
        for index in targets.indices { targets[index] += missing[index] - there[index] }
      }
      for group in 0..<form.groups {
        let rows = form.rows(of: data, at: positions, result: shape, group: group)
        let own =
          form.groups == 1
          ? targets
          : positions.indices.flatMap { position in
            let start = (position * form.groups + group) * form.outputs
            return targets[start..<(start + form.outputs)]
          }
        if now.batchCount < Self.validationStep {
          try Self.split(rows, own, positions.count, products, &sums[group])
        } else if batch % Self.validationStep == Self.validationStep - 1 {
          try sums[group].validation.add(rows, own, count: positions.count, products)
        } else {
          try sums[group].fit.add(rows, own, count: positions.count, products)
        }
      }
    }
    var moments: [(fit: Moments, validation: Moments)] = []
    for group in sums.indices {
      moments.append(
        (try sums[group].fit.finish(products), try sums[group].validation.finish(products)))
      // Sums of many groups are not all held twice.
      sums[group] = (none, none)
    }
    return moments
  }

  /// Whether a node is a layer or a normalization that may be fitted.
  private func isFitted(_ node: NodeID) -> Bool {
    guard now.graph.node(node) != nil else { return false }
    return !LinearLayer.layers(of: node, now.graph, now.facts).isEmpty
      || FittableNormalization(node, now.graph, now.facts) != nil
  }

  /// Every fourth batch, or row where there are not as many batches, is one that fits are judged on.
  private static let validationStep = 4

  private static func split(
    _ rows: [Float], _ targets: [Float], _ count: Int, _ products: RowProducts,
    _ sums: inout (fit: MomentsAccumulator, validation: MomentsAccumulator)
  ) throws(CompileError) {
    func part(_ elements: [Float], _ positions: [Int]) -> [Float] {
      let length = elements.count / max(1, count)
      return positions.flatMap { elements[($0 * length)..<(($0 + 1) * length)] }
    }
    let judged = (0..<count).filter { $0 % validationStep == validationStep - 1 }
    let fitted = (0..<count).filter { $0 % validationStep != validationStep - 1 }
    try sums.fit.add(
      part(rows, fitted), part(targets, fitted), count: fitted.count, products)
    try sums.validation.add(
      part(rows, judged), part(targets, judged), count: judged.count, products)
  }

  /// The other operand of a sum that is all that reads `result`, where it has been computed in both networks.
  private func skip(behind result: ValueID) -> ValueID? {
    guard now.graph[result].uses.count == 1, let sum = now.graph[result].uses[0].node,
      now.graph[sum].operation == OperationName("Add"), now.graph[sum].inputs.count == 2,
      let other = now.graph[sum].inputs.compactMap({ $0 }).first(where: { $0 != result }),
      original.graph.value(other) != nil, now.graph[other].constant == nil,
      now.tensor(other, ofBatch: 0) != nil, original.tensor(other, ofBatch: 0) != nil
    else { return nil }
    return other
  }

  /// Whether a value differs between the networks.
  private func hasChanged(_ value: ValueID) -> Bool {
    guard let after = now.tensor(value, ofBatch: 0), original.graph.value(value) != nil,
      let before = original.tensor(value, ofBatch: 0)
    else { return true }
    return before.shape != after.shape || before.floats != after.floats
  }

  // MARK: Normalizations

  private mutating func fit(_ normalization: FittableNormalization) throws(CompileError) {
    try now.advance(past: normalization.node)
    try original.advance(past: normalization.node)
    let places = kept[Axis(normalization.result, normalization.axis)]
    var fits: ChannelFit?
    for batch in 0..<now.batchCount {
      guard let after = now.tensor(normalization.result, ofBatch: batch),
        let before = original.tensor(normalization.result, ofBatch: batch)
      else { return }
      let target = places.map { before.keeping($0, alongAxis: normalization.axis) } ?? before
      guard target.shape == after.shape else { return }
      fits = fits ?? ChannelFit(count: after.shape[normalization.axis])
      fits!.add(after, target, axis: normalization.axis)
    }
    guard let fits else { return }
    let scale = now.graph[normalization.scale].constant!
    // Without a bias there is no shift.
    let factors = fits.factors.map { normalization.bias == nil ? ($0.scale, 0) : $0 }
    let scales = zip(scale.floats, factors).map { $0 * Float($1.0) }
    set(
      normalization.scale, to: Tensor(rounding: scales, to: scale.elementType, shape: scale.shape))
    if let bias = normalization.bias {
      let old = now.graph[bias].constant!
      let biases = zip(old.floats, factors).map { $0 * Float($1.0) + Float($1.1) }
      set(bias, to: Tensor(rounding: biases, to: old.elementType, shape: old.shape))
    }
    for batch in 0..<now.batchCount {
      now.update(normalization.result, ofBatch: batch) {
        $0.scaled(factors, alongAxis: normalization.axis)
      }
    }
  }

  // MARK: Changes

  /// Replaces a constant. Where it stands for a quantised bias, the scales of that change by factors.
  private mutating func set(
    _ value: ValueID, to tensor: Tensor, scaleFactors: [Float] = [1]
  ) {
    guard let quantized = quantized[value] else {
      now.setTensor(of: value, to: tensor)
      changes.append(.constant(value, tensor))
      return
    }
    let rounding =
      quantized.isBias
      ? quantized.rounding(tensor.floats, scaleFactors: scaleFactors)
      : quantized.rounding(tensor.floats)
    if let rounding { store(rounding, as: value) }
  }

  private mutating func store(_ rounding: QuantizedConstant.Rounding, as value: ValueID) {
    now.setTensor(of: value, to: rounding.tensor)
    changes += rounding.constants.map { .constant($0.value, $0.tensor) }
  }

  private mutating func setBias(
    of fittable: FittableLayer, to elements: [Float], _ type: ElementType,
    scaleFactors: [Float] = [1]
  ) {
    switch fittable.bias {
    case .impossible: break
    case .constant(let value):
      set(
        value, to: fittable.bias(elements, replacing: now.graph[value].constant!),
        scaleFactors: scaleFactors)
    case .absent(let operand):
      let name = now.graph[fittable.layer.weight].name + ".bias"
      let tensor = fittable.newBias(elements, type)
      now.setOperand(operand, of: fittable.layer.node, named: name, to: tensor)
      changes.append(
        .operand(
          operand, of: fittable.layer.node, named: name, tensor,
          channels: fittable.biasChannels))
    }
  }
}
