extension GraphFacts {
  /// The facts of `graph` when extents that its inputs leave open have nominal values, for counting MACs:
  /// 1 for a batch (axis 0), 224 for the other axes of inputs of four axes or more (images), 128 for
  /// those of fewer (sequences). `facts` themselves, the graph's own, where nothing but a batch is
  /// open, or the graph does not admit those values.
  public static func nominal(of graph: Graph, _ facts: GraphFacts) -> GraphFacts {
    guard graph.hasOpenInputs else { return facts }
    var nominal = graph
    let shapes = graph.nominalShapes()
    for input in graph.inputs {
      guard var type = graph[input].tensorType, let shape = shapes[graph[input].name] else {
        continue
      }
      type.shape = shape.map { .fixed($0) }
      nominal.setType(of: input, to: ValueType(.tensor(type)))
    }
    return (try? GraphFacts(of: nominal)) ?? facts
  }
}

extension Graph {
  /// Whether an input leaves an extent open other than that of its first axis, the batch.
  public var hasOpenInputs: Bool {
    inputs.contains { input in
      self[input].tensorType?.shape?.dropFirst().contains { $0.fixedExtent == nil } ?? false
    }
  }
}

extension Graph {
  /// For each input of known rank, by name, its extents: those that are given, and nominal ones where the graph leaves them
  /// open. Extents with one name are the same throughout, as far as what is given allows.
  public func nominalShapes(given: [String: [Int]] = [:]) -> [String: [Int]] {
    var named: [String: Int] = [:]
    for input in inputs {
      guard let shape = self[input].tensorType?.shape, let extents = given[self[input].name],
        extents.count == shape.count
      else { continue }
      for (dimension, extent) in zip(shape, extents) {
        if let name = dimension.name, named[name] == nil { named[name] = extent }
      }
    }
    var shapes = given
    for input in inputs where given[self[input].name] == nil {
      guard let shape = self[input].tensorType?.shape else { continue }
      // A name for the batch and for another axis of the same images is what some exporters write for anything.
      let batch = shape.count < 4 ? nil : shape[0].name
      let isTelling = batch == nil || !shape.dropFirst().contains { $0.name == batch }
      shapes[self[input].name] = shape.indices.map { axis in
        let nominal = shape[axis].nominalExtent(axis: axis, of: shape.count)
        guard isTelling, let name = shape[axis].name else { return nominal }
        let extent = named[name] ?? nominal
        named[name] = extent
        return extent
      }
    }
    return shapes
  }
}

extension Dimension {
  fileprivate func nominalExtent(axis: Int, of rank: Int) -> Int {
    fixedExtent ?? (axis == 0 ? 1 : (rank >= 4 ? 224 : 128))
  }

  fileprivate var name: String? {
    if case .symbol(let name) = extent { name } else { nil }
  }
}
