import CPrunecONNX
import PrunecGraphIR

/// An order of a graph's nodes in which every value is defined before it is used.
struct NodeOrder {
  /// Indices into the nodes as they are in the file.
  let indices: [Int]
  /// The first node of the file that uses a value defined only after it.
  let firstMisplaced: Int?

  /// Orders `nodes` so that they stay as they are wherever they can: a node moves only to stand
  /// right before the first one that needs it.
  ///
  /// Throws `.malformed`, naming a node and the values in between, where values depend on
  /// themselves.
  init(of nodes: [Message<Onnx__NodeProto>], in session: ImportSession) throws(CompileError) {
    var producers = [String: Int](minimumCapacity: nodes.count)
    for (index, node) in nodes.enumerated() {
      for name in texts(node.pointee.output, node.pointee.n_output) where !name.isEmpty {
        producers[name] = index
      }
    }
    let dependencies = nodes.map { node in
      names(usedBy: node, in: session).compactMap { producers[$0] }
    }
    firstMisplaced = dependencies.indices.first { index in
      dependencies[index].contains { $0 >= index }
    }
    guard firstMisplaced != nil else {
      indices = Array(nodes.indices)
      return
    }

    enum State { case waiting, open, done }
    var states = [State](repeating: .waiting, count: nodes.count)
    var order: [Int] = []
    order.reserveCapacity(nodes.count)
    for root in nodes.indices where states[root] == .waiting {
      var path = [(node: root, next: 0)]
      states[root] = .open
      while let (node, next) = path.last {
        guard next < dependencies[node].count else {
          states[node] = .done
          order.append(node)
          path.removeLast()
          continue
        }
        path[path.count - 1].next += 1
        let dependency = dependencies[node][next]
        switch states[dependency] {
        case .done: break
        case .waiting:
          states[dependency] = .open
          path.append((dependency, 0))
        case .open:
          let cycle = path.map(\.node).drop { $0 != dependency }
          throw CompileError(
            .malformed, "the node depends on its own result", at: location(of: nodes[dependency]),
            notes: cycle.dropFirst().prefix(8).map { "by way of \(location(of: nodes[$0]))" })
        }
      }
    }
    indices = order
  }
}
