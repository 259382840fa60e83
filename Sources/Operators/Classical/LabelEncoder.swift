import PrunecGraphIR
import PrunecTensors

/// LabelEncoder (ONNX's classical operators, version 1 to 5): every element replaced by what the node's `values` have at
/// the place where its `keys` have it, or by a default. Keys and values are strings, integers or floats, and since
/// version 4 tensors; in version 1 there is one list, of strings, and the integers are their places in it.
///
/// Channels: every axis goes with itself.
struct LabelEncoder: Operator {
  let signature = Signature(
    "LabelEncoder", domain: Signature.classicalDomain, opsets: 1...5, operands: 1...1,
    attributes: [
      "classes_strings": nil, "default_float": .float(-0.0), "default_int64": .int(-1),
      "default_string": .string(Array("_Unused".utf8)), "default_tensor": nil,
      "keys_floats": nil, "keys_int64s": nil, "keys_strings": nil, "keys_tensor": nil,
      "values_floats": nil, "values_int64s": nil, "values_strings": nil, "values_tensor": nil,
    ])

  /// The list in the attributes whose names begin so, as a vector.
  private func list(_ call: Invocation, _ name: String) throws(CompileError) -> Tensor {
    if let floats = call.floats(name + "_floats") { return Tensor(floats, shape: [floats.count]) }
    if let integers = call.ints(name + "_int64s") { return Tensor(integers) }
    if let strings = strings(call, name + "_strings") {
      return Tensor(strings: strings, shape: [strings.count])
    }
    if let tensor = call.tensor(name + "_tensor"), tensor.hasData {
      return tensor.reshaped([tensor.count])
    }
    throw call.malformed("there are no \(name)")
  }

  private func strings(_ call: Invocation, _ name: String) -> [[UInt8]]? {
    guard case .strings(let strings)? = call.attributes.first(where: { $0.name == name })?.value
    else { return nil }
    return strings
  }

  /// Keys, and the values that take their place: one for each key, and the default.
  private func table(_ call: Invocation) throws(CompileError) -> (keys: Tensor, values: Tensor) {
    var (keys, values): (Tensor, Tensor)
    if call.opset == 1 {
      guard let classes = strings(call, "classes_strings") else {
        throw call.malformed("there are no classes")
      }
      (keys, values) = (
        Tensor(strings: classes, shape: [classes.count]), Tensor(Array(classes.indices))
      )
      if call.elementType(0) != .string { swap(&keys, &values) }
    } else {
      (keys, values) = (try list(call, "keys"), try list(call, "values"))
    }
    guard keys.count == values.count else {
      throw call.malformed("there are \(keys.count) keys and \(values.count) values")
    }
    let fallback: Tensor
    switch values.elementType {
    case _ where call.tensor("default_tensor") != nil: fallback = call.tensor("default_tensor")!
    case .string:
      fallback = Tensor(strings: [Array((call.string("default_string") ?? "").utf8)], shape: [1])
    case .int64: fallback = Tensor([try call.requiredInt("default_int64")])
    default:
      let number = Tensor([try call.requiredFloat("default_float")], shape: [1])
      guard let converted = number.converted(to: values.elementType) else {
        throw call.malformed("the values are of type \(values.elementType.name)")
      }
      fallback = converted
    }
    guard fallback.count == 1, fallback.hasData, fallback.elementType == values.elementType else {
      throw call.malformed("the default is no \(values.elementType.name)")
    }
    return (keys, .concatenated([values, fallback.reshaped([1])], alongAxis: 0))
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    let (keys, values) = try table(call)
    if let type = call.elementType(0), type != keys.elementType {
      throw call.malformed("X is of type \(type.name) and the keys of \(keys.elementType.name)")
    }
    return [ValueFacts(values.elementType, call.shape(0))]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    for axis in (call.shape(0) ?? []).indices {
      relations.equal(.operand(0, axis: axis), .result(axis: axis))
    }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] { [] }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    let resolved = try resolve(call, on: operands)
    let (keys, values) = try table(resolved)
    func places<Key: Hashable>(_ keys: [Key], _ elements: [Key]) -> [Int] {
      let places = Dictionary(zip(keys, keys.indices)) { first, _ in first }
      return elements.map { places[$0] ?? keys.count }
    }
    let x = operands[0]!
    let choice: [Int]
    if let keys = keys.strings, let elements = x.strings {
      choice = places(keys, elements)
    } else if x.elementType.isInteger {
      choice = places(keys.integers, x.integers)
    } else if x.elementType.isFloatingPoint {
      // All patterns that are no number are the same key.
      func canonical(_ number: Double) -> Double? { number.isNaN ? nil : number }
      choice = places(keys.doubles.map(canonical), x.doubles.map(canonical))
    } else {
      throw call.unsupported("labels of type \(x.elementType.name) are not evaluated")
    }
    return [values.keeping(choice, alongAxis: 0).reshaped(x.shape)]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
