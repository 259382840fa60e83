import CPrunecONNX
import PrunecGraphIR

/// The names that a graph of the file defines, and those it uses without defining them.
struct GraphScope {
  /// Names of inputs, initializers and results of nodes, not those inside of nested graphs.
  private(set) var defined: Set<String> = []
  /// Names that the graph or graphs nested in it take from around it, in order of first use.
  private(set) var free: [String] = []
  private var freeSet: Set<String> = []

  init(of graph: Message<Onnx__GraphProto>, in session: ImportSession) {
    let proto = graph.pointee
    for input in messages(proto.input, proto.n_input) { defined.insert(text(input.pointee.name)) }
    for tensor in messages(proto.initializer, proto.n_initializer) {
      defined.insert(text(tensor.pointee.name))
    }
    for sparse in messages(proto.sparse_initializer, proto.n_sparse_initializer) {
      defined.insert(text(sparse.pointee.values?.pointee.name))
    }
    let nodes = messages(proto.node, proto.n_node)
    let outputs = messages(proto.output, proto.n_output).map { text($0.pointee.name) }
    collect(nodes, outputs: outputs, in: session)
  }

  /// The scope of a function's body.
  init(of function: Message<Onnx__FunctionProto>, in session: ImportSession) {
    let proto = function.pointee
    defined = Set(texts(proto.input, proto.n_input))
    collect(
      messages(proto.node, proto.n_node), outputs: texts(proto.output, proto.n_output), in: session)
  }

  private mutating func collect(
    _ nodes: [Message<Onnx__NodeProto>], outputs: [String], in session: ImportSession
  ) {
    defined.reserveCapacity(defined.count + nodes.count)
    for node in nodes { defined.formUnion(texts(node.pointee.output, node.pointee.n_output)) }
    for node in nodes {
      for name in names(usedBy: node, in: session) { use(name) }
    }
    for name in outputs { use(name) }
  }

  private mutating func use(_ name: String) {
    guard !name.isEmpty, !defined.contains(name), freeSet.insert(name).inserted else { return }
    free.append(name)
  }
}

/// The graphs in a node's attributes.
func subgraphs(of node: Message<Onnx__NodeProto>) -> [Message<Onnx__GraphProto>] {
  var graphs: [Message<Onnx__GraphProto>] = []
  for attribute in messages(node.pointee.attribute, node.pointee.n_attribute) {
    if let graph = attribute.pointee.g { graphs.append(graph) }
    graphs += messages(attribute.pointee.graphs, attribute.pointee.n_graphs)
  }
  return graphs
}

/// The names that a node's subgraphs take from around them, in order of first use.
func capturedNames(
  of node: Message<Onnx__NodeProto>, in session: ImportSession
) -> [String] {
  guard node.pointee.n_attribute > 0 else { return [] }
  let graphs = subgraphs(of: node)
  if graphs.count <= 1 { return graphs.first.map { session.scope(of: $0).free } ?? [] }
  var seen: Set<String> = []
  return graphs.flatMap { session.scope(of: $0).free }.filter { seen.insert($0).inserted }
}

/// The names of a node's operands and captures.
func names(usedBy node: Message<Onnx__NodeProto>, in session: ImportSession) -> [String] {
  texts(node.pointee.input, node.pointee.n_input) + capturedNames(of: node, in: session)
}

/// How diagnostics speak of a node that has not been imported yet.
func location(of node: Message<Onnx__NodeProto>) -> Location {
  let name = text(node.pointee.name)
  let outputs = texts(node.pointee.output, node.pointee.n_output)
  let operation = OperationName(text(node.pointee.op_type), domain: text(node.pointee.domain))
  return .node(
    name: name.isEmpty ? outputs.first { !$0.isEmpty } ?? "" : name,
    operation: operation.description)
}
