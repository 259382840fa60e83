import PrunecGraphIR
import PrunecTensors

/// A model in ONNX's textual syntax.
///
/// `parseModel` reads it back as the same model, except for what the syntax cannot say (the module's
/// documentation lists it) and for data elided under `options`.
public func printModel(_ model: Model, options: PrintOptions = .complete) -> String {
  var printer = Printer(options: options)
  printer.write(model)
  return printer.text
}

/// A graph in ONNX's textual syntax, without the model around it.
public func printGraph(_ graph: Graph, options: PrintOptions = .complete) -> String {
  var printer = Printer(options: options)
  printer.write(graph, captured: nil, visible: [])
  printer.text += "\n"
  return printer.text
}

/// Writes text. The parts of the syntax are in the extensions.
struct Printer {
  var text = ""
  let options: PrintOptions
  private var indentation = 0

  init(options: PrintOptions) { self.options = options }

  mutating func startLine() {
    text += "\n"
    for _ in 0..<indentation { text += "  " }
  }

  // MARK: Models

  mutating func write(_ model: Model) {
    if options.printHeader { writeHeader(of: model) }
    write(model.graph, captured: nil, visible: [])
    text += "\n"
    for function in model.functions { write(function) }
  }

  private mutating func writeHeader(of model: Model) {
    var fields = [
      "ir_version: \(model.irVersion)", "opset_import: \(imports(of: model.graph))",
    ]
    if !model.producerName.isEmpty { fields.append("producer_name: \(string(model.producerName))") }
    if !model.producerVersion.isEmpty {
      fields.append("producer_version: \(string(model.producerVersion))")
    }
    if !model.domain.isEmpty { fields.append("domain: \(string(model.domain))") }
    if let version = model.modelVersion { fields.append("model_version: \(version)") }
    if !model.annotations.docString.isEmpty {
      fields.append("doc_string: \(string(model.annotations.docString))")
    }
    if !model.annotations.metadata.isEmpty {
      let entries = model.annotations.metadata.map { "\(string($0.key)) : \(string($0.value))" }
      fields.append("metadata_props: [\(entries.joined(separator: ", "))]")
    }
    text += "<\n  " + fields.joined(separator: ",\n  ") + "\n>\n"
  }

  private func string(_ text: String) -> String { quoted(Array(text.utf8)) }

  private func imports(of graph: Graph) -> String {
    let imports = graph.opsetImports.map { "\(string($0.domain)) : \($0.version)" }
    return "[\(imports.joined(separator: ", "))]"
  }

  // MARK: Functions

  private mutating func write(_ function: Function) {
    var fields = ["domain: \(string(function.name.domain))"]
    if !function.name.overload.isEmpty {
      fields.append("overload: \(string(function.name.overload))")
    }
    fields.append("opset_import: \(imports(of: function.body))")
    if !function.annotations.docString.isEmpty {
      fields.append("doc_string: \(string(function.annotations.docString))")
    }
    text += "<\n  " + fields.joined(separator: ",\n  ") + "\n>\n"
    text += quotable(function.name.type)
    let names = PrintedNames(of: function.body, captured: nil, visible: [])
    if !(function.attributes.isEmpty && function.attributeDefaults.isEmpty) {
      text += " <" + function.attributes.map(quotable).joined(separator: ", ")
      for (index, attribute) in function.attributeDefaults.enumerated() {
        if index > 0 || !function.attributes.isEmpty { text += ", " }
        write(attribute, name: quotable(attribute.name), captured: [], visible: [])
      }
      text += ">"
    }
    write(function.body, names: names, visible: [])
    text += "\n"
  }

  // MARK: Graphs

  /// A graph with its name.
  mutating func write(_ graph: Graph, captured: [String]?, visible: Set<String>) {
    let names = PrintedNames(of: graph, captured: captured, visible: visible)
    text += quotable(graph.name)
    write(graph, names: names, visible: visible)
  }

  /// A graph after its name. `visible` is all names of the graphs around that are visible here.
  private mutating func write(_ graph: Graph, names: PrintedNames, visible: Set<String>) {
    writeSignature(of: graph, names)
    if writeDeclarations(of: graph, names) { startLine() } else { text += " " }
    text += "{"
    indentation += 1
    var visible = visible
    for id in graph.inputs + graph.captures + graph.initializers { visible.insert(names[id]) }
    for id in graph.nodes {
      startLine()
      write(graph[id], names, visible: visible)
      for output in graph[id].outputs.compactMap({ $0 }) { visible.insert(names[output]) }
    }
    for (value, output) in names.identities {
      startLine()
      text += "\(quotable(output)) = Identity (\(quotable(value)))"
    }
    indentation -= 1
    startLine()
    text += "}"
  }

  private mutating func writeSignature(of graph: Graph, _ names: PrintedNames) {
    let listed = graph.initializers.filter { graph[$0].isListedAsInput }
    let inputs = (graph.inputs + listed).map { declaration(graph[$0].type, names[$0]) }
    let outputs = zip(graph.outputs, names.outputs).map { output, name in
      declaration(output.declaredType ?? graph[output.value].type, name)
    }
    text += " (\(inputs.joined(separator: ", "))) => (\(outputs.joined(separator: ", ")))"
  }

  private func declaration(_ type: ValueType?, _ name: String) -> String {
    guard let type, type.kind != .unspecified else { return quotable(name) }
    return "\(description(of: type)) \(quotable(name))"
  }

  /// Constants, and the types of what nodes define unless an output says the same. Returns whether
  /// there are any.
  private mutating func writeDeclarations(of graph: Graph, _ names: PrintedNames) -> Bool {
    let typed = options.printTypes ? valuesWithTypes(of: graph) : []
    let values = graph.initializers + typed
    guard !values.isEmpty else { return false }
    startLine()
    text += "<"
    indentation += 1
    for (index, id) in values.enumerated() {
      startLine()
      text += declaration(graph[id].type, names[id])
      if index < graph.initializers.count {
        text += " = "
        writeData(of: graph[id])
      }
      if index < values.count - 1 { text += "," }
    }
    indentation -= 1
    startLine()
    text += ">"
    return true
  }

  private func valuesWithTypes(of graph: Graph) -> [ValueID] {
    var saidByOutput: Set<ValueID> = []
    for output in graph.outputs where output.declaredType == nil {
      saidByOutput.insert(output.value)
    }
    return graph.nodes.flatMap { graph[$0].outputs.compactMap { $0 } }.filter {
      graph[$0].type != nil && graph[$0].type?.kind != .unspecified && !saidByOutput.contains($0)
    }
  }

  private mutating func writeData(of value: Value) {
    switch value.definition {
    case .initializer(let tensor) where tensor.hasData: write(tensor)
    default:
      if let location = value.externalLocation { text += "[\"location\" : \(string(location))]" }
    }
  }

  // MARK: Nodes

  private mutating func write(_ node: Node, _ names: PrintedNames, visible: Set<String>) {
    if !node.name.isEmpty { text += "[\(quotable(node.name))] " }
    if !node.outputs.isEmpty { text += list(node.outputs, names) + " " }
    text += "= \(description(of: node.operation))"
    let captured = node.captures.map { names[$0] }
    // Long attributes come last, so that operator and operands are read together.
    let attributesLast = node.attributes.contains { !$0.graphs.isEmpty }
    if !attributesLast { write(node.attributes, captured: captured, visible: visible) }
    text += " (\(list(node.inputs, names)))"
    if attributesLast { write(node.attributes, captured: captured, visible: visible) }
  }

  private func list(_ values: [ValueID?], _ names: PrintedNames) -> String {
    values.map { $0.map { quotable(names[$0]) } ?? "\"\"" }.joined(separator: ", ")
  }

  private func description(of operation: OperationName) -> String {
    let parts = operation.domain.split(separator: ".", omittingEmptySubsequences: false)
    let domain =
      parts.allSatisfy { isIdentifier(String($0)) }
      ? operation.domain : quoted(Array(operation.domain.utf8))
    let overload = operation.overload.isEmpty ? "" : ":" + bare(operation.overload)
    return (operation.domain.isEmpty ? "" : domain + ".") + bare(operation.type) + overload
  }
}
