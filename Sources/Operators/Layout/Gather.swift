import PrunecGraphIR
import PrunecTensors

/// Gather (ONNX opset 7 to 28): the slices of `data` along `axis` that `indices` names; the axes of
/// `indices` take the place of `axis`. Negative indices count from the end.
///
/// Channels: constant indices of one or more axes select, and are rewritten when something is cut. Those
/// of several axes are the row-major product of these axes (`as_strided` of PyTorch), which is cut along
/// one of them at a time. A single index, and indices that are computed, which may name anything, pin
/// `axis`: an embedding's rows stay while its columns can be cut.
struct Gather: Operator {
  let signature = Signature("Gather", operands: 2...2, attributes: ["axis": .int(0)])

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    var axis = try call.requiredInt("axis")
    if let type = call.elementType(1), type != .int64, type != .int32 {
      throw call.malformed("indices are of type \(type.name)")
    }
    guard let data = call.shape(0) else { return [ValueFacts(type, nil)] }
    axis = try call.normalizedAxis(axis, rank: data.count)
    guard let indices = call.shape(1) else { return [ValueFacts(type, nil)] }
    if let known = call.operand(1)!.knownTensor, let extent = data[axis].fixedExtent {
      _ = try positions(known.integers, extent: extent, call)
    }
    let shape = Array(data[..<axis] + indices + data[(axis + 1)...])
    return [ValueFacts(type, shape, contents: movedContents(call, of: 0..<1, to: shape))]
  }

  /// `indices` counted from the front.
  private func positions(
    _ indices: [Int], extent: Int, _ call: Invocation
  ) throws(CompileError) -> [Int] {
    var positions: [Int] = []
    positions.reserveCapacity(indices.count)
    for index in indices {
      guard index >= -extent, index < extent else {
        throw call.malformed("index \(index) is out of range for an extent of \(extent)")
      }
      positions.append(index < 0 ? index + extent : index)
    }
    return positions
  }

  /// The positions that constant indices select, in the indices' shape.
  private func selection(_ call: Invocation, _ axis: Int, _ data: [Dimension]) -> Tensor? {
    guard let extent = data[axis].fixedExtent, let indices = call.operand(1)?.knownTensor,
      indices.rank > 0, indices.count > 0,
      let positions = try? positions(indices.integers, extent: extent, call)
    else { return nil }
    return Tensor(positions, shape: indices.shape)
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let data = call.shape(0), let indexRank = call.shape(1)?.count,
      let axis = try? call.normalizedAxis(call.requiredInt("axis"), rank: data.count)
    else { return }
    for source in data.indices where source != axis {
      let target = source < axis ? source : source + indexRank - 1
      relations.equal(.operand(0, axis: source), .result(axis: target))
    }
    if let selection = selection(call, axis, data) {
      let axes = (axis..<(axis + indexRank)).map { AxisReference.result(axis: $0) }
      let places = indexRank == 1 ? axes[0] : relations.virtualAxis(extent: selection.count)
      relations.selection(places, of: .operand(0, axis: axis), indices: selection.integers)
      if indexRank > 1 { relations.split(places, into: axes) }
      return
    }
    let isConstant = call.operand(1)?.constant != nil
    relations.pin(
      .operand(0, axis: axis),
      because: isConstant ? "single indices are read" : "the indices are computed")
    // Fewer indices give fewer slices.
    for index in 0..<indexRank {
      relations.equal(.operand(1, axis: index), .result(axis: axis + index))
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    guard let data = call.shape(0) else { return [] }
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: data.count)
    guard var selection = selection(call, axis, data), let extent = data[axis].fixedExtent else {
      return []
    }
    let keptData = cut[.operand(0, axis: axis)]
    let keptAxes = (0..<selection.rank).filter { cut[.result(axis: axis + $0)] != nil }
    guard keptData != nil || !keptAxes.isEmpty else { return [] }
    for index in keptAxes {
      selection = selection.keeping(cut[.result(axis: axis + index)]!, alongAxis: index)
    }
    var position = [Int](repeating: -1, count: extent)
    for (new, old) in (keptData ?? Array(0..<extent)).enumerated() { position[old] = new }
    let indices = selection.integers.map { position[$0] }
    precondition(!indices.contains(-1), "a cut takes what is still selected")
    let vector = call.integerTensor(indices, likeOperand: 1)
    return [.operand(1, vector.reshaped(selection.shape))]
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let data = try call.tensor(0, of: operands)
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: data.rank)
    let indices = try positions(
      call.tensor(1, of: operands).integers, extent: data.shape[axis], call)
    let shape = resolved.results[0].fixedShape!
    if shape.contains(0) { return [data.emptied(shape)] }
    return [data.keeping(indices, alongAxis: axis).reshaped(shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Gather: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let data = call.operand(0)!.fixedShape!
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: data.count)
    guard let indices = call.operand(1)?.constantIntegers else { return .gather(axis: axis) }
    let places = try positions(indices, extent: data[axis], call)
    let step = places.count > 1 ? places[1] - places[0] : 1
    guard let first = places.first,
      places.enumerated().allSatisfy({ $1 == first + $0 * step })
    else { return .gather(axis: axis) }
    // Evenly spaced indices, a single one mostly, are a slice.
    var selections = data.map { ViewStep.Selection(start: 0, step: 1, count: $0) }
    selections[axis] = ViewStep.Selection(start: first, step: step, count: places.count)
    return .views([[.select(selections), .reshape(call.results[0].fixedShape!)]])
  }
}
