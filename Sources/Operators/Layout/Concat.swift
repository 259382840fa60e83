import PrunecGraphIR
import PrunecTensors

/// Concat (ONNX opset 7 to 28): the operands one after the other along `axis`; their other extents
/// agree.
///
/// Channels: along `axis` every operand is a section of the result; the other axes go together.
struct Concat: Operator {
  let signature = Signature("Concat", operands: 1...Int.max, attributes: ["axis": nil])

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let type = try call.commonElementType(call.operands.indices)
    var axis = try call.requiredInt("axis")
    let shapes = call.operands.map { $0?.shape }
    guard let rank = shapes.lazy.compactMap({ $0?.count }).first else {
      return [ValueFacts(type, nil)]
    }
    axis = try call.normalizedAxis(axis, rank: rank)
    var result = [Dimension](repeating: .unknown, count: rank)
    for shape in shapes {
      guard let shape else { continue }
      guard shape.count == rank else {
        throw call.malformed("operands of \(rank) and \(shape.count) axes do not go together")
      }
      for index in shape.indices where index != axis {
        switch (result[index].extent, shape[index].extent) {
        case (.fixed(let a), .fixed(let b)) where a != b:
          throw call.malformed("extents \(a) and \(b) of axis \(index) differ")
        case (.fixed, _), (_, .unknown): break
        case (.symbol, .symbol): break
        default: result[index] = shape[index]
        }
      }
    }
    result[axis] = try .sum(shapes.map { $0?[axis].extent ?? .unknown }, call)
    let contents = movedContents(call, of: call.operands.indices, to: result)
    return [ValueFacts(type, result, contents: contents)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    Self.relate(call, parts: Array(call.operands.indices), &relations)
  }

  /// Relates the operands at `parts`, which lie one after the other along `axis`, to the first result.
  static func relate(_ call: Invocation, parts: [Int], _ relations: inout Relations) {
    guard let output = call.results.first?.shape,
      let axis = try? call.normalizedAxis(call.requiredInt("axis"), rank: output.count)
    else { return }
    let shapes = parts.compactMap { call.shape($0) }
    guard shapes.count == parts.count, shapes.allSatisfy({ $0.count == output.count })
    else { return }
    for index in output.indices {
      let extents = shapes.compactMap { $0[index].fixedExtent }
      guard extents.count == shapes.count else {
        // One operand that cannot be cut keeps the others from it.
        relations.pin(.result(axis: index), because: "an operand's extent is not known")
        continue
      }
      var start = 0
      for (operand, extent) in zip(parts, extents) {
        let part = AxisReference.operand(operand, axis: index)
        if index == axis {
          // An operand without elements is no part of any channel.
          guard extent > 0 else { continue }
          relations.section(part, of: .result(axis: index), start: start)
          start += extent
        } else {
          relations.equal(part, .result(axis: index))
        }
      }
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    _ = try resolve(call, on: operands)
    var parts: [Tensor] = []
    for index in operands.indices { parts.append(try call.tensor(index, of: operands)) }
    let axis = try call.normalizedAxis(call.requiredInt("axis"), rank: parts[0].rank)
    return [.concatenated(parts, alongAxis: axis)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}

extension Concat: KernelOperator {
  func computation(_ call: Invocation) throws(CompileError) -> Computation? {
    let rank = call.results[0].rank!
    return try .concatenation(axis: call.normalizedAxis(call.requiredInt("axis"), rank: rank))
  }
}
