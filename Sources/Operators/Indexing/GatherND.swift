import PrunecGraphIR
import PrunecTensors

/// GatherND (ONNX opset 11 to 28): slices of `data` by tuples of indices. `data [b..., d1 ... dk, r...]`
/// and `indices [b..., q..., k]` share `batch_dims` axes b (opset 12 on); every tuple names a slice r, and
/// the result is `[b..., q..., r...]`. Negative indices count from the end.
///
/// Channels: axes b and r go with themselves, and q with those of the result; indexed axes are pinned.
struct GatherND: Operator {
  let signature = Signature(
    "GatherND", opsets: 11...28, operands: 2...2, attributes: ["batch_dims": .int(0)])

  /// Numbers of axes.
  private struct Form {
    let (batch, tuple): (Int, Int)

    /// The first axis of `data` that is not indexed.
    var rest: Int { batch + tuple }
  }

  /// `nil` where the length of the tuples is not known.
  private func form(
    _ call: Invocation, _ data: [Dimension], _ indices: [Dimension]
  ) throws(CompileError) -> Form? {
    let batch = call.opset >= 12 ? try call.requiredInt("batch_dims") : 0
    guard batch >= 0, batch < indices.count, batch < data.count else {
      throw call.malformed(
        "\(batch) batch axes of \(data.count) and \(indices.count) leave none to index")
    }
    guard let tuple = indices.last!.fixedExtent else { return nil }
    guard tuple >= 1, tuple <= data.count - batch else {
      throw call.malformed("tuples of \(tuple) indices are too long, or empty")
    }
    return Form(batch: batch, tuple: tuple)
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = call.elementType(0)
    if let type = call.elementType(1), type != .int64 {
      throw call.malformed("indices are of type \(type.name)")
    }
    guard let data = call.shape(0), let indices = call.shape(1),
      let form = try form(call, data, indices)
    else { return [ValueFacts(type, nil)] }
    var shape: [Dimension] = []
    for axis in 0..<form.batch {
      if let a = data[axis].fixedExtent, let b = indices[axis].fixedExtent, a != b {
        throw call.malformed("batch axis \(axis) has extents \(a) and \(b)")
      }
      shape.append(indices[axis].fixedExtent == nil ? data[axis] : indices[axis])
    }
    shape += indices[form.batch..<(indices.count - 1)] + data[form.rest...]
    return [ValueFacts(type, shape, contents: movedContents(call, of: 0..<1, to: shape))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let data = call.shape(0), let indices = call.shape(1),
      let form = (try? form(call, data, indices)) ?? nil
    else { return }
    for axis in 0..<form.batch {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
      relations.equal(.operand(1, axis: axis), .result(axis: axis))
    }
    for axis in form.batch..<(indices.count - 1) {
      relations.equal(.operand(1, axis: axis), .result(axis: axis))
    }
    for axis in form.batch..<form.rest {
      relations.pin(.operand(0, axis: axis), because: "single elements are read along it")
    }
    for axis in form.rest..<data.count {
      let target = indices.count - 1 + axis - form.rest
      relations.equal(.operand(0, axis: axis), .result(axis: target))
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let data = try call.tensor(0, of: operands)
    let indices = try call.tensor(1, of: operands)
    let shape = resolved.results[0].fixedShape!
    guard let form = try form(resolved, resolved.shape(0)!, resolved.shape(1)!) else {
      throw call.unsupported("the length of the tuples is not known")
    }
    if shape.contains(0) { return [data.emptied(shape)] }
    let batch = data.shape[..<form.batch].reduce(1, *)
    let places = try SliceIndex.places(
      of: indices, in: Array(data.shape[form.batch..<form.rest]), call)
    let size = data.shape[form.batch..<form.rest].reduce(1, *)
    let slice = data.shape[form.rest...].reduce(1, *)
    let perBatch = places.count / batch
    let rows = places.indices.map { $0 / perBatch * size + places[$0] }
    return [
      data.reshaped([batch * size, slice]).keeping(rows, alongAxis: 0).reshaped(shape)
    ]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

/// Tuples of indices, which name a slice each.
enum SliceIndex {
  /// For each tuple along the last axis of `indices`: which of the slices of axes of `extents`, in
  /// row-major order, it names.
  static func places(
    of indices: Tensor, in extents: [Int], _ call: Invocation
  ) throws(CompileError) -> [Int] {
    let numbers = indices.integers
    let strides = extents.rowMajorStrides
    var places: [Int] = []
    places.reserveCapacity(numbers.count / extents.count)
    for start in stride(from: 0, to: numbers.count, by: extents.count) {
      var place = 0
      for (axis, extent) in extents.enumerated() {
        place += try normalized(numbers[start + axis], extent, call) * strides[axis]
      }
      places.append(place)
    }
    return places
  }

  /// An index counted from the front.
  static func normalized(
    _ index: Int, _ extent: Int, _ call: Invocation
  ) throws(CompileError) -> Int {
    guard index >= -extent, index < extent else {
      throw call.malformed("index \(index) is out of range for an extent of \(extent)")
    }
    return index < 0 ? index + extent : index
  }
}
