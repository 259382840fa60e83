import PrunecTensors

/// Adds nodes and constants to a graph in the place of others, as rewrites do.
///
/// Whatever is built bears the origin of the nodes that it stands for, so that diagnostics, plans and the
/// names by which users choose still speak of the original. Its name begins with the builder's stem.
///
///     let joined = graph.build(before: node) { build in
///       let numbers = build.addConstant(Tensor([32]), "numbers")
///       return build.add("Concat", [vector, numbers], [Attribute("axis", 0)])
///     }
public struct GraphBuilder: ~Copyable {
  /// The graph with all that has been built so far.
  public fileprivate(set) var graph: Graph
  private let origins: [NodeOrigin]
  private let stem: String
  private var point: InsertionPoint

  fileprivate init(at point: InsertionPoint, origins: [NodeOrigin], stem: String) {
    graph = Graph(name: "", opsetImports: [])
    self.origins = origins
    self.stem = stem
    self.point = point
  }

  /// Adds a node of one result and gives the result. Both are called `stem.suffix`, the suffix being
  /// the operator where none is given.
  public mutating func add(
    _ type: String, domain: String = "", _ inputs: [ValueID?], _ attributes: [Attribute] = [],
    suffix: String? = nil, resultType: ValueType? = nil
  ) -> ValueID {
    let name = graph.uniqueName("\(stem).\(suffix ?? type)")
    let id = insert(
      OperationName(type, domain: domain), name: name, inputs, attributes,
      outputs: [(name, resultType)])
    return graph[id].outputs[0]!
  }

  /// Adds a node of several results, which are called `stem.0` and so on, and gives them.
  public mutating func add(
    _ type: String, _ inputs: [ValueID?], _ attributes: [Attribute] = [], resultCount: Int
  ) -> [ValueID] {
    let names = (0..<resultCount).map { graph.uniqueName("\(stem).\($0)") }
    let id = insert(
      OperationName(type), name: graph.uniqueName("\(stem).\(type)"), inputs, attributes,
      outputs: names.map { ($0, nil) })
    return graph[id].outputs.map { $0! }
  }

  /// Adds a copy of a node of another graph, with these operands, captures, results and attributes.
  /// Diagnostics speak of the copy by its own name and operator.
  public mutating func addCopy(
    of node: Node, name: String, inputs: [ValueID?], captures: [ValueID],
    outputs: [(name: String, type: ValueType?)?], attributes: [Attribute]
  ) -> NodeID {
    let id = insert(
      node.operation, name: name, inputs, attributes, captures: captures, outputs: outputs,
      annotations: node.annotations, deviceConfigurations: node.deviceConfigurations)
    graph.setOrigins(of: id, to: [])
    let copy = NodeOrigin(id, in: graph)
    graph.setOrigins(of: id, to: origins.map { NodeOrigin($0.node, calledAs: copy) })
    return id
  }

  /// Adds a constant, which is called `stem.suffix`, or `stem` where no suffix is given.
  ///
  /// `axes` are the axes of other constants that its own stand for, by index.
  public mutating func addConstant(
    _ tensor: Tensor, _ suffix: String? = nil, axes: [Int: [Axis]] = [:]
  ) -> ValueID {
    let name = graph.uniqueName(suffix.map { "\(stem).\($0)" } ?? stem)
    let id = graph.addInitializer(name: name, tensor)
    graph.setOrigins(of: id, to: origins)
    for (index, others) in axes { graph.addOrigins(of: others, to: Axis(id, index)) }
    return id
  }

  private mutating func insert(
    _ operation: OperationName, name: String, _ inputs: [ValueID?], _ attributes: [Attribute],
    captures: [ValueID] = [], outputs: [(name: String, type: ValueType?)?],
    annotations: Annotations = .none, deviceConfigurations: [[UInt8]] = []
  ) -> NodeID {
    let id = graph.insert(
      operation, name: name, inputs: inputs, captures: captures, outputs: outputs,
      attributes: attributes, annotations: annotations, deviceConfigurations: deviceConfigurations,
      at: point)
    graph.setOrigins(of: id, to: origins)
    // What is built after a node stays in the order of building.
    if case .after = point { point = .after(id) }
    return id
  }
}

extension Graph {
  /// Builds what stands for `nodes`, at a place in the order of execution.
  ///
  /// Names begin with `stem`: by default the name of the first result of the first of the nodes.
  public mutating func build<Result>(
    at point: InsertionPoint, standingFor nodes: [NodeID], stem: String? = nil,
    _ body: (inout GraphBuilder) -> Result
  ) -> Result {
    precondition(!nodes.isEmpty, "what is built must stand for some node")
    let origins = nodes.flatMap { self.origins(of: $0) }.uniqued()
    let result = self[nodes[0]].outputs.lazy.compactMap { $0 }.first
    var builder = GraphBuilder(
      at: point, origins: origins, stem: stem ?? result.map { self[$0].name } ?? "")
    // Two holders of one graph would copy it at the first change.
    swap(&self, &builder.graph)
    defer { swap(&self, &builder.graph) }
    return body(&builder)
  }

  /// Builds what stands for `node`, before it in the order of execution.
  public mutating func build<Result>(
    before node: NodeID, stem: String? = nil, _ body: (inout GraphBuilder) -> Result
  ) -> Result {
    build(at: .before(node), standingFor: [node], stem: stem, body)
  }
}
