import PrunecGraphIR
import PrunecTensors

extension Printer {
  /// ` <name = value, ...>`, or nothing where there are no attributes.
  mutating func write(_ attributes: [Attribute], captured: [String], visible: Set<String>) {
    guard !attributes.isEmpty else { return }
    text += " <"
    for (index, attribute) in attributes.enumerated() {
      if index > 0 { text += ", " }
      write(attribute, name: bare(attribute.name), captured: captured, visible: visible)
    }
    text += ">"
  }

  /// An attribute; its type is given where the value alone does not tell.
  mutating func write(
    _ attribute: Attribute, name: String, captured: [String], visible: Set<String>
  ) {
    text += name
    if let type = annotation(of: attribute.value) { text += ": \(type.name)" }
    text += " = "
    switch attribute.value {
    case .float(let value): write(value)
    case .int(let value): text += "\(value)"
    case .string(let bytes): text += quoted(bytes)
    case .tensor(let tensor): write(tensor)
    case .graph(let graph): write(graph, captured: captured, visible: visible)
    case .sparseTensor(let bytes): text += hexadecimal(bytes)
    case .type(let type): text += description(of: type)
    case .floats(let values): writeList(values) { $0.write($1) }
    case .ints(let values): writeList(values) { $0.text += "\($1)" }
    case .strings(let values): writeList(values) { $0.text += quoted($1) }
    case .tensors(let tensors): writeList(tensors) { $0.write($1) }
    case .graphs(let graphs):
      writeList(graphs) { $0.write($1, captured: captured, visible: visible) }
    case .sparseTensors(let values): writeList(values) { $0.text += hexadecimal($1) }
    case .types(let types): writeList(types) { $0.text += $0.description(of: $1) }
    case .reference(let name, _): text += "@\(quotable(name))"
    }
  }

  private func annotation(of value: Attribute.Value) -> AttributeType? {
    switch value {
    case .float, .int, .string, .tensor, .graph: nil
    case .floats(let values): values.isEmpty ? .floats : nil
    case .ints(let values): values.isEmpty ? .ints : nil
    case .strings(let values): values.isEmpty ? .strings : nil
    case .tensors: .tensors
    case .graphs: .graphs
    case .sparseTensor: .sparseTensor
    case .sparseTensors: .sparseTensors
    case .type: .type
    case .types: .types
    case .reference(_, let type):
      AttributeType(rawValue: type).flatMap { $0 == .undefined ? nil : $0 }
    }
  }

  private mutating func writeList<Element>(
    _ elements: [Element], _ write: (inout Printer, Element) -> Void
  ) {
    text += "["
    for (index, element) in elements.enumerated() {
      if index > 0 { text += ", " }
      write(&self, element)
    }
    text += "]"
  }

  /// A tensor with its type and name.
  private mutating func write(_ named: NamedTensor) {
    let tensor = named.tensor
    text += description(of: TensorType(tensor.elementType, fixed: tensor.shape))
    if !named.name.isEmpty { text += " \(bare(named.name))" }
    if tensor.hasData {
      text += " "
      write(tensor)
    } else {
      // Without the sign, the text of a nameless tensor would be a mere type; without the space, the
      // sign and the end of the attributes would be an arrow.
      text += " = "
    }
  }

  // MARK: Types

  func description(of type: ValueType) -> String {
    switch type.kind {
    case .tensor(let type): description(of: type)
    case .sparseTensor(let type): "sparse_tensor(\(description(of: type)))"
    case .sequence(let element): "seq(\(description(of: element)))"
    case .optional(let element): "optional(\(description(of: element)))"
    case .map(let key, let value): "map(\(key?.name ?? "undefined"), \(description(of: value)))"
    case .opaque(let domain, let name):
      "opaque(\(domain.isEmpty ? "" : qualified(domain) + ", ")\(qualified(name)))"
    case .unspecified: ""
    }
  }

  private func qualified(_ name: String) -> String {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.allSatisfy { isIdentifier(String($0)) } ? name : quoted(Array(name.utf8))
  }

  func description(of type: TensorType) -> String {
    let elementType = type.elementType?.name ?? "undefined"
    guard let shape = type.shape else { return elementType + "[]" }
    guard !shape.isEmpty else { return elementType }
    let extents = shape.map { dimension in
      switch dimension.extent {
      case .fixed(let extent): "\(extent)"
      case .symbol(let name): bare(name)
      case .unknown: "?"
      }
    }
    return "\(elementType)[\(extents.joined(separator: ","))]"
  }
}
