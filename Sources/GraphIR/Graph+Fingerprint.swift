import PrunecTensors

extension Graph {
  /// A number for what the graph computes: operations, attributes, constants and the types of the inputs, in the order of execution.
  /// Names of nodes and of values between them do not count. Equal in every process.
  public var fingerprint: UInt64 {
    var fingerprint = Fingerprint()
    add(to: &fingerprint)
    return fingerprint.value
  }

  private func add(to fingerprint: inout Fingerprint) {
    var numbers: [ValueID: UInt64] = [:]
    func number(_ value: ValueID) -> UInt64 {
      if let number = numbers[value] { return number }
      numbers[value] = UInt64(numbers.count)
      return numbers[value]!
    }
    for opset in opsetImports.sorted(by: { $0.domain < $1.domain }) {
      fingerprint.add(opset.domain)
      fingerprint.add(UInt64(opset.version))
    }
    for input in inputs {
      fingerprint.add(number(input))
      fingerprint.add(self[input].name)
      for dimension in self[input].tensorType?.shape ?? [] {
        fingerprint.add(UInt64(bitPattern: Int64(dimension.fixedExtent ?? -1)))
      }
      fingerprint.add(self[input].tensorType?.elementType?.name ?? "")
    }
    for id in nodes {
      let node = self[id]
      fingerprint.add(node.operation.description)
      for operand in node.inputs + node.captures.map(Optional.some) {
        guard let operand else {
          fingerprint.add(UInt64.max)
          continue
        }
        let isNew = numbers[operand] == nil
        fingerprint.add(number(operand))
        if isNew, let tensor = self[operand].constant { Self.add(tensor, to: &fingerprint) }
      }
      for attribute in node.attributes.sorted(by: { $0.name < $1.name }) {
        fingerprint.add(attribute.name)
        Self.add(attribute.value, to: &fingerprint)
      }
      for result in node.outputs { fingerprint.add(result.map(number) ?? UInt64.max) }
    }
    for output in outputs {
      fingerprint.add(output.name)
      fingerprint.add(number(output.value))
    }
  }

  private static func add(_ tensor: Tensor, to fingerprint: inout Fingerprint) {
    fingerprint.add(tensor.elementType.name)
    if let strings = tensor.strings {
      for string in strings { fingerprint.add(String(decoding: string, as: UTF8.self)) }
    } else if tensor.hasData {
      fingerprint.add(tensor)
    }
  }

  private static func add(_ value: Attribute.Value, to fingerprint: inout Fingerprint) {
    switch value {
    case .graph(let graph): graph.add(to: &fingerprint)
    case .graphs(let graphs): for graph in graphs { graph.add(to: &fingerprint) }
    case .tensor(let named): add(named.tensor, to: &fingerprint)
    case .tensors(let tensors): for named in tensors { add(named.tensor, to: &fingerprint) }
    case .float(let number): fingerprint.add(UInt64(number.bitPattern))
    case .floats(let numbers): for number in numbers { fingerprint.add(UInt64(number.bitPattern)) }
    case .int(let number): fingerprint.add(UInt64(bitPattern: number))
    case .ints(let numbers): for number in numbers { fingerprint.add(UInt64(bitPattern: number)) }
    case .string(let bytes): fingerprint.add(String(decoding: bytes, as: UTF8.self))
    case .strings(let strings):
      for bytes in strings { fingerprint.add(String(decoding: bytes, as: UTF8.self)) }
    case .sparseTensor, .sparseTensors, .type, .types, .reference:
      fingerprint.add("\(value)")
    }
  }
}
