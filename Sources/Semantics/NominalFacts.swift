extension GraphFacts {
  /// The facts of `graph` when extents that its inputs leave open have nominal values, for counting MACs:
  /// 1 for a batch (axis 0), 224 for the other axes of inputs of four axes or more (images), 128 for
  /// those of fewer (sequences). `facts` themselves, the graph's own, where nothing but a batch is
  /// open, or the graph does not admit those values.
  public static func nominal(of graph: Graph, _ facts: GraphFacts) -> GraphFacts {
    guard graph.hasOpenInputs else { return facts }
    var nominal = graph
    for input in graph.inputs {
      guard var type = graph[input].tensorType, var shape = type.shape else { continue }
      for axis in shape.indices {
        shape[axis] = .fixed(shape[axis].nominalExtent(axis: axis, of: shape.count))
      }
      type.shape = shape
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
  /// For each input of known rank, by name, its extents, nominal where it leaves them open.
  public var nominalShapes: [String: [Int]] {
    var shapes: [String: [Int]] = [:]
    for input in inputs {
      guard let shape = self[input].tensorType?.shape else { continue }
      shapes[self[input].name] = shape.indices.map {
        shape[$0].nominalExtent(axis: $0, of: shape.count)
      }
    }
    return shapes
  }
}

extension Dimension {
  fileprivate func nominalExtent(axis: Int, of rank: Int) -> Int {
    fixedExtent ?? (axis == 0 ? 1 : (rank >= 4 ? 224 : 128))
  }
}
