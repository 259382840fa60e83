import PrunecGraphIR
import PrunecTensors

/// Unique (ONNX opset 11 to 28): the different elements of X, or its different slices along `axis`, in
/// order or, with `sorted` 0, as they come; and for each the first place where it is, for each of X's which
/// of them it is, and how often each occurs (all int64 vectors).
///
/// Channels: everything depends on every element, so that all axes are pinned.
struct Unique: DiscontinuousOperator {
  let signature = Signature(
    "Unique", opsets: 11...28, operands: 1...1, results: 1...4,
    attributes: ["axis": nil, "sorted": .int(1)])

  /// The axis; `nil` where the whole is flattened.
  private func axis(_ call: Invocation) throws(CompileError) -> Int? {
    guard call.has("axis"), let rank = call.shape(0)?.count else { return nil }
    return try call.normalizedAxis(call.requiredInt("axis"), rank: rank)
  }

  /// Which slices are different.
  private struct Grouping {
    /// The first slice of each group, in the order of the result.
    var firsts: [Int] = []
    /// For each slice, its group.
    var groups: [Int] = []
    var counts: [Int] = []

    init<Element: Comparable>(_ slices: [[Element]], isSorted: Bool) {
      func isBefore(_ a: Int, _ b: Int) -> Bool {
        slices[a].lexicographicallyPrecedes(slices[b])
      }
      let order = slices.indices.sorted { a, b in
        isBefore(a, b) || (!isBefore(b, a) && a < b)
      }
      groups = [Int](repeating: 0, count: slices.count)
      for (place, slice) in order.enumerated() {
        if place == 0 || isBefore(order[place - 1], slice) {
          firsts.append(slice)
          counts.append(0)
        }
        groups[slice] = firsts.count - 1
        counts[firsts.count - 1] += 1
      }
      guard !isSorted else { return }
      let byFirst = firsts.indices.sorted { firsts[$0] < firsts[$1] }
      var rank = [Int](repeating: 0, count: firsts.count)
      for (new, old) in byFirst.enumerated() { rank[old] = new }
      groups = groups.map { rank[$0] }
      counts = byFirst.map { counts[$0] }
      firsts = byFirst.map { firsts[$0] }
    }
  }

  /// The operand with its slices along axis 0.
  private func sliced(_ tensor: Tensor, _ axis: Int?) -> Tensor {
    guard let axis else { return tensor.reshaped([tensor.count]) }
    let order = [axis] + tensor.shape.indices.filter { $0 != axis }
    return tensor.transposed(order)
  }

  private func grouping(
    _ tensor: Tensor, _ call: Invocation
  ) throws(CompileError) -> Grouping {
    let isSorted = try call.requiredInt("sorted") == 1
    let rows = sliced(tensor, try axis(call))
    let count = rows.shape[0]
    let length = count == 0 ? 0 : rows.count / count
    func slices<Element>(_ elements: [Element]) -> [[Element]] {
      (0..<count).map { Array(elements[($0 * length)..<(($0 + 1) * length)]) }
    }
    if let strings = rows.strings {
      // Strings of bytes compare like slices of them, if each has an end.
      let ended = strings.map { $0.map { Int($0) + 1 } + [0] }
      return Grouping(slices(ended).map { $0.flatMap { $0 } }, isSorted: isSorted)
    }
    if rows.elementType.isFloatingPoint {
      return Grouping(slices(rows.doubles), isSorted: isSorted)
    }
    guard rows.elementType.isNumeric else {
      throw call.unsupported("Unique of \(rows.elementType.name) is not evaluated")
    }
    return Grouping(slices(rows.integers), isSorted: isSorted)
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    _ = try call.requiredInt("sorted")
    let axis = try axis(call)
    var count: Dimension = .unknown
    if let constant = call.operand(0)?.constant, let found = try? grouping(constant, call) {
      count = .fixed(found.firsts.count)
    }
    var shape: [Dimension]? = call.has("axis") ? call.shape(0) : [count]
    var length: Dimension = .unknown
    if let axis {
      length = call.shape(0)![axis]
      shape?[axis] = count
    } else if !call.has("axis") {
      let total = call.operand(0)?.fixedShape.flatMap(\.checkedElementCount)
      length = total.map { .fixed($0) } ?? .unknown
    }
    return call.forResults([
      ValueFacts(call.elementType(0), shape), ValueFacts(.int64, [count]),
      ValueFacts(.int64, [length]), ValueFacts(.int64, [count]),
    ])
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    for axis in (call.shape(0) ?? []).indices {
      relations.pin(.operand(0, axis: axis), because: "elements are compared with each other")
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let x = try call.tensor(0, of: operands)
    let axis = try axis(resolved)
    let found = try grouping(x, resolved)
    let flat = axis == nil ? x.reshaped([x.count]) : x
    return [
      flat.keeping(found.firsts, alongAxis: axis ?? 0), Tensor(found.firsts),
      Tensor(found.groups), Tensor(found.counts),
    ]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
