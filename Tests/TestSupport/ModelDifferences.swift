import PrunecGraphIR
import PrunecTensors

/// What two models differ in, a line each; empty where they are equal.
///
/// Values are compared by name, so that graphs built in another order are equal. Everything is
/// compared but revisions, IDs and serialized unknown types; with `annotations` off, neither are
/// documentation strings, metadata, unknown fields and what else has no effect on the result.
package func differences(
  between first: Model, and second: Model, annotations: Bool = true
) -> [String] {
  var comparison = Comparison(annotations: annotations)
  comparison.compare(first, second)
  return comparison.differences
}

private struct Comparison {
  let annotations: Bool
  var differences: [String] = []
  var path: [String] = []

  init(annotations: Bool) { self.annotations = annotations }

  mutating func expect<Element: Equatable>(_ what: String, _ first: Element, _ second: Element) {
    guard first != second else { return }
    differences.append((path + ["\(what): \(first) and \(second)"]).joined(separator: ": "))
  }

  mutating func inside(_ place: String, _ body: (inout Comparison) -> Void) {
    path.append(place)
    body(&self)
    path.removeLast()
  }

  mutating func compareNotes(_ first: Annotations, _ second: Annotations) {
    if annotations { expect("annotations", first, second) }
  }

  mutating func compare(_ first: Model, _ second: Model) {
    expect("IR version", first.irVersion, second.irVersion)
    expect("producer", first.producerName, second.producerName)
    expect("producer version", first.producerVersion, second.producerVersion)
    expect("domain", first.domain, second.domain)
    expect("model version", first.modelVersion, second.modelVersion)
    compareNotes(first.annotations, second.annotations)
    if annotations {
      expect("training info", first.trainingInfo, second.trainingInfo)
      expect("device configurations", first.deviceConfigurations, second.deviceConfigurations)
    }
    compare(first.graph, second.graph)
    expect("functions", first.functions.map(\.name), second.functions.map(\.name))
    for (first, second) in zip(first.functions, second.functions) {
      inside("function \(first.name)") {
        $0.expect("attributes", first.attributes, second.attributes)
        $0.compareNotes(first.annotations, second.annotations)
        $0.compare(first.attributeDefaults, second.attributeDefaults)
        $0.compare(first.body, second.body)
      }
    }
  }

  mutating func compare(_ first: Graph, _ second: Graph) {
    inside("graph '\(first.name)'") {
      $0.expect("name", first.name, second.name)
      $0.compareNotes(first.annotations, second.annotations)
      $0.compareImports(first, second)
      $0.compareSignature(first, second)
      $0.compareNodes(first, second)
    }
  }

  private mutating func compareImports(_ first: Graph, _ second: Graph) {
    if annotations {
      expect("imports", first.opsetImports, second.opsetImports)
      expect(
        "quantization annotations", first.quantizationAnnotations, second.quantizationAnnotations)
    } else {
      expect(
        "imports", first.opsetImports.map { "\($0.domain) \($0.version)" },
        second.opsetImports.map { "\($0.domain) \($0.version)" })
    }
  }

  private mutating func compareSignature(_ first: Graph, _ second: Graph) {
    func names(_ graph: Graph, _ ids: [ValueID]) -> [String] { ids.map { graph[$0].name } }
    expect("inputs", names(first, first.inputs), names(second, second.inputs))
    expect("captures", names(first, first.captures), names(second, second.captures))
    expect("constants", names(first, first.initializers), names(second, second.initializers))
    expect("outputs", first.outputs.map(\.name), second.outputs.map(\.name))
    for (a, b) in zip(first.outputs, second.outputs) {
      inside("output '\(a.name)'") {
        $0.expect("value", first[a.value].name, second[b.value].name)
        $0.expect("declared type", a.declaredType, b.declaredType)
        $0.compareNotes(a.annotations, b.annotations)
      }
    }
    for (a, b) in zip(
      first.inputs + first.initializers + first.captures,
      second.inputs + second.initializers + second.captures)
    {
      compare(first[a], second[b])
    }
  }

  private mutating func compare(_ first: Value, _ second: Value) {
    inside("value '\(first.name)'") {
      $0.expect("name", first.name, second.name)
      $0.expect("type", first.type, second.type)
      $0.expect("listed as input", first.isListedAsInput, second.isListedAsInput)
      $0.expect("external file", first.externalLocation, second.externalLocation)
      $0.compareNotes(first.annotations, second.annotations)
      $0.compareNotes(first.inputAnnotations, second.inputAnnotations)
      if first.constant != second.constant {
        $0.differences.append("\($0.path.joined(separator: ": ")): elements")
      }
    }
  }

  private mutating func compareNodes(_ first: Graph, _ second: Graph) {
    let (nodes, others) = (Array(first.nodes), Array(second.nodes))
    expect("number of nodes", nodes.count, others.count)
    for (a, b) in zip(nodes, others) {
      let (x, y) = (first[a], second[b])
      inside(first.location(of: a).description) {
        $0.expect("name", x.name, y.name)
        $0.expect("operator", x.operation, y.operation)
        $0.expect("overload", x.operation.overload, y.operation.overload)
        func names(_ graph: Graph, _ ids: [ValueID?]) -> [String] {
          ids.map { $0.map { graph[$0].name } ?? "" }
        }
        $0.expect("inputs", names(first, x.inputs), names(second, y.inputs))
        $0.expect("captures", names(first, x.captures), names(second, y.captures))
        $0.expect("outputs", names(first, x.outputs), names(second, y.outputs))
        for (a, b) in zip(x.outputs, y.outputs) {
          if let a, let b { $0.compare(first[a], second[b]) }
        }
        $0.compare(x.attributes, y.attributes)
        $0.compareNotes(x.annotations, y.annotations)
        if $0.annotations {
          $0.expect("device configurations", x.deviceConfigurations, y.deviceConfigurations)
        }
      }
    }
  }

  // MARK: Attributes

  private mutating func compare(_ first: [Attribute], _ second: [Attribute]) {
    expect("attributes", first.map(\.name), second.map(\.name))
    for (a, b) in zip(first, second) {
      inside("attribute '\(a.name)'") {
        $0.compareNotes(a.annotations, b.annotations)
        $0.compare(a.value, b.value)
      }
    }
  }

  private mutating func compare(_ first: Attribute.Value, _ second: Attribute.Value) {
    switch (first, second) {
    // Bit patterns: NaN is equal to itself here, and 0.0 is not -0.0.
    case (.float(let a), .float(let b)): expect("value", a.bitPattern, b.bitPattern)
    case (.floats(let a), .floats(let b)):
      expect("values", a.map(\.bitPattern), b.map(\.bitPattern))
    case (.int(let a), .int(let b)): expect("value", a, b)
    case (.ints(let a), .ints(let b)): expect("values", a, b)
    case (.string(let a), .string(let b)): expect("value", a, b)
    case (.strings(let a), .strings(let b)): expect("values", a, b)
    case (.sparseTensor(let a), .sparseTensor(let b)): expect("value", a, b)
    case (.sparseTensors(let a), .sparseTensors(let b)): expect("values", a, b)
    case (.type(let a), .type(let b)): expect("value", a, b)
    case (.types(let a), .types(let b)): expect("values", a, b)
    case (.reference(let a, let x), .reference(let b, let y)):
      expect("reference", a, b)
      expect("type", x, y)
    case (.tensor(let a), .tensor(let b)): compare([a], [b])
    case (.tensors(let a), .tensors(let b)): compare(a, b)
    case (.graph(let a), .graph(let b)): compare(a, b)
    case (.graphs(let a), .graphs(let b)):
      expect("number of graphs", a.count, b.count)
      for (a, b) in zip(a, b) { compare(a, b) }
    default: differences.append("\(path.joined(separator: ": ")): type")
    }
  }

  private mutating func compare(_ first: [NamedTensor], _ second: [NamedTensor]) {
    expect("names", first.map(\.name), second.map(\.name))
    for (a, b) in zip(first, second) {
      expect("type", a.tensor.elementType, b.tensor.elementType)
      expect("shape", a.tensor.shape, b.tensor.shape)
      if a.tensor != b.tensor { differences.append("\(path.joined(separator: ": ")): elements") }
      compareNotes(a.annotations, b.annotations)
    }
  }
}
