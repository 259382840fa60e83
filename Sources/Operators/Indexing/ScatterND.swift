import PrunecGraphIR
import PrunecTensors

/// ScatterND (ONNX opset 11 to 28): `data` with slices replaced: `data [d1 ... dk, r...]`,
/// `indices [q..., k]`, `updates [q..., r...]`. Every tuple of indices names the slice r that its update
/// replaces or, under `reduction` (opset 16 on; max and min from 18), is combined with.
///
/// Channels: axes r go with themselves; the others are pinned, for an update that went would no longer
/// be made.
struct ScatterND: Operator {
  let signature = Signature(
    "ScatterND", opsets: 11...28, operands: 3...3,
    attributes: ["reduction": .string(Array("none".utf8))])

  /// The number of axes of `data` that are indexed; `nil` where it is not known.
  private func tuple(_ call: Invocation) throws(CompileError) -> Int? {
    guard let data = call.shape(0), let indices = call.shape(1) else { return nil }
    guard let last = indices.last else { throw call.malformed("the indices are a scalar") }
    guard let tuple = last.fixedExtent else { return nil }
    guard tuple >= 1, tuple <= data.count else {
      throw call.malformed("tuples of \(tuple) indices are too long, or empty")
    }
    return tuple
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try call.commonElementType([0, 2])
    if let type = call.elementType(1), type != .int64 {
      throw call.malformed("indices are of type \(type.name)")
    }
    let _: ScatterReduction = try call.choice("reduction")
    guard let data = call.shape(0), let tuple = try tuple(call) else {
      return [ValueFacts(type, call.shape(0))]
    }
    if let updates = call.shape(2) {
      let expected = Array(call.shape(1)!.dropLast() + data[tuple...])
      let isFitting =
        updates.count == expected.count
        && zip(updates, expected).allSatisfy { pair in
          guard let a = pair.0.fixedExtent, let b = pair.1.fixedExtent else { return true }
          return a == b
        }
      guard isFitting else {
        throw call.malformed("the updates do not fit the indices and the data")
      }
    }
    return [ValueFacts(type, data, contents: movedContents(call, of: [0, 2], to: data))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard call.hasAllRanks, let data = call.shape(0), let indices = call.shape(1),
      let tuple = (try? tuple(call)) ?? nil
    else { return }
    for axis in tuple..<data.count {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
      relations.equal(.operand(2, axis: indices.count - 1 + axis - tuple), .result(axis: axis))
    }
    for axis in 0..<tuple {
      relations.pin(.operand(0, axis: axis), because: "single elements are written along it")
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let data = try call.tensor(0, of: operands)
    let indices = try call.tensor(1, of: operands)
    guard let tuple = try tuple(resolved) else {
      throw call.unsupported("the length of the tuples is not known")
    }
    if data.count == 0 { return [data] }
    let places = try SliceIndex.places(of: indices, in: Array(data.shape[..<tuple]), call)
    let slice = data.shape[tuple...].reduce(1, *)
    let targets = places.flatMap { place in (0..<slice).map { place * slice + $0 } }
    let reduction: ScatterReduction = try call.choice("reduction")
    return [try reduction.scatter(call.tensor(2, of: operands), to: targets, of: data, call)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

/// How an update is combined with the element in its place.
package enum ScatterReduction: String, Sendable {
  case none, add, mul, max, min

  private var formula: BinaryFormula? {
    switch self {
    case .none: nil
    case .add: BinaryFormula(float: { $0 + $1 }, double: { $0 + $1 }, integer: { $0 &+ $1 })
    case .mul: BinaryFormula(float: { $0 * $1 }, double: { $0 * $1 }, integer: { $0 &* $1 })
    case .max:
      BinaryFormula(
        float: { Swift.max($0, $1) }, double: { Swift.max($0, $1) },
        integer: { Swift.max($0, $1) })
    case .min:
      BinaryFormula(
        float: { Swift.min($0, $1) }, double: { Swift.min($0, $1) },
        integer: { Swift.min($0, $1) })
    }
  }

  /// `data` with the elements of `updates`, one after the other, put to the offsets `targets`.
  func scatter(
    _ updates: Tensor, to targets: [Int], of data: Tensor, _ call: Invocation
  ) throws(CompileError) -> Tensor {
    guard let formula else {
      if data.elementType.isByteAligned, data.elementType != .string {
        return data.placing(updates, at: targets)
      }
      let both = Tensor.concatenated(
        [data.reshaped([data.count]), updates.reshaped([updates.count])], alongAxis: 0)
      var choice = Array(0..<data.count)
      for (index, target) in targets.enumerated() { choice[target] = data.count + index }
      return both.keeping(choice, alongAxis: 0).reshaped(data.shape)
    }
    let type = data.elementType
    if type.isFloatingPoint {
      var elements = data.doubles
      for (update, target) in zip(updates.doubles, targets) {
        elements[target] = formula.double(elements[target], update)
      }
      return Tensor(rounding: elements, to: type, shape: data.shape)
    }
    guard type.isInteger, let combine = formula.integer else {
      throw call.unsupported("\(call.signature.operation) of \(type.name) is not evaluated")
    }
    var elements = data.integers
    for (update, target) in zip(updates.integers, targets) {
      // None of the functions is undefined anywhere.
      elements[target] = combine(elements[target], update)!
    }
    return Tensor(wrapping: elements, to: type, shape: data.shape)
  }
}

extension Tensor {
  /// The tensor with the elements of `part`, of the same type of whole bytes, at offsets, of which the last counts where some are
  /// equal.
  fileprivate func placing(_ part: Tensor, at offsets: [Int]) -> Tensor {
    var whole = contiguous
    let width = elementType.bitWidth / 8
    whole.withUnsafeMutableBytes { target in
      part.withUnsafeBytes { source in
        for (index, offset) in offsets.enumerated() {
          for byte in 0..<width { target[offset * width + byte] = source[index * width + byte] }
        }
      }
    }
    return whole
  }
}
