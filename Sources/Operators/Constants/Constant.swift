import PrunecGraphIR
import PrunecTensors

/// Constant (ONNX opset 7 to 28): a tensor given by exactly one attribute: `value`, or since opset
/// 12 a number, a string or a list of either. A sparse value (opset 11) is a dense one here: the importer
/// expands it.
///
/// Channels: every axis may be cut; the node then gets a smaller value.
struct Constant: Operator {
  let signature = Signature(
    "Constant", operands: 0...0,
    attributes: [
      "value": nil, "value_float": nil, "value_floats": nil,
      "value_int": nil, "value_ints": nil, "value_string": nil, "value_strings": nil,
    ])

  /// The attribute that gives the value, and the tensor.
  private func value(_ call: Invocation) throws(CompileError) -> (Attribute, Tensor) {
    let given = call.attributes.filter { signature.attributes.keys.contains($0.name) }
    guard given.count == 1, let attribute = given.first else {
      throw call.malformed("\(given.count) attributes give the value instead of one")
    }
    switch (attribute.name, attribute.value) {
    case ("value", .tensor(let value)): return (attribute, value.tensor)
    case ("value_float", .float(let number)): return (attribute, Tensor([number], shape: []))
    case ("value_floats", .floats(let numbers)):
      return (attribute, Tensor(numbers, shape: [numbers.count]))
    case ("value_int", .int(let number)): return (attribute, Tensor([Int(number)], shape: []))
    case ("value_ints", .ints(let numbers)): return (attribute, Tensor(numbers.map(Int.init)))
    case ("value_string", .string(let string)):
      return (attribute, Tensor(strings: [string], shape: []))
    case ("value_strings", .strings(let strings)):
      return (attribute, Tensor(strings: strings, shape: [strings.count]))
    default: throw call.malformed("'\(attribute.name)' is of the wrong kind")
    }
  }

  func inferFacts(_ call: Invocation) throws(CompileError) -> [ValueFacts] {
    [ValueFacts(constant: try value(call).1)]
  }

  func relate(_ call: Invocation, _ relations: inout Relations) {
    guard let tensor = try? value(call).1 else { return }
    for axis in tensor.shape.indices { relations.free(.result(axis: axis)) }
  }

  func adapt(_ call: Invocation, to cut: Cut) throws(CompileError) -> [Adaptation] {
    var (attribute, tensor) = try value(call)
    let axes = cut.axes(ofResult: 0)
    guard !axes.isEmpty else { return [] }
    for axis in axes { tensor = tensor.keeping(cut[.result(axis: axis)]!, alongAxis: axis) }
    switch attribute.value {
    case .tensor(var value):
      value.tensor = tensor
      attribute.value = .tensor(value)
    case .floats: attribute.value = .floats(tensor.floats)
    case .ints: attribute.value = .ints(tensor.integers.map(Int64.init))
    case .strings: attribute.value = .strings(tensor.strings!)
    default: preconditionFailure("a scalar has no axis to cut")
    }
    return [.attribute(attribute)]
  }

  func evaluate(_ call: Invocation, _ operands: [Tensor?]) throws(CompileError) -> [Tensor] {
    [try value(call).1]
  }

  func macs(_ call: Invocation) -> Int { 0 }
}
