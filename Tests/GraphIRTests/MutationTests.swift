import PrunecGraphIR
import PrunecTensors
import Testing

/// `y = Relu(x); z = Add(y, w)`, of which `z` is the output.
private struct SmallGraph {
  var graph = Graph(name: "g", opsetImports: [OpsetImport("", 21)])
  let x: ValueID
  let w: ValueID
  let relu: NodeID
  let add: NodeID

  init() {
    let type = ValueType.tensor(.float32, [.fixed(2)])
    x = graph.addInput(name: "x", type: type)
    w = graph.addInitializer(name: "w", Tensor([1, 2], shape: [2]))
    relu = graph.insert(
      OperationName("Relu"), name: "relu", inputs: [x], outputs: [("y", nil)], at: .atEnd)
    add = graph.insert(
      OperationName("Add"), name: "add", inputs: [graph[relu].outputs[0], w],
      outputs: [("z", type)], at: .atEnd)
    graph.addOutput(name: "z", graph[add].outputs[0]!)
  }

  var y: ValueID { graph[relu].outputs[0]! }
  var z: ValueID { graph[add].outputs[0]! }

  /// The nodes in order, as text.
  var text: [String] {
    graph.nodes.map { id in
      let inputs = graph[id].inputs.map { $0.map { graph[$0].name } ?? "" }
      return "\(graph[id].name)(\(inputs.joined(separator: ",")))"
    }
  }

  func expectValid(_ location: SourceLocation = #_sourceLocation) {
    #expect(Verifier.violations(in: graph) == [], sourceLocation: location)
  }
}

@Suite struct MutationTests {
  private var small = SmallGraph()

  @Test func copiesAreSnapshots() {
    var changed = small
    changed.graph.setInput(0, of: changed.add, to: changed.x)
    changed.expectValid()
    small.expectValid()
    #expect(changed.text == ["relu(x)", "add(x,w)"])
    #expect(small.text == ["relu(x)", "add(y,w)"])
    #expect(changed.graph.revision != small.graph.revision)
  }

  @Test mutating func insertionPoints() {
    func insert(_ name: String, _ point: InsertionPoint) {
      small.graph.insert(
        OperationName("Neg"), name: name, inputs: [small.x], outputs: [(name, nil)], at: point)
    }
    insert("first", .before(small.relu))
    insert("middle", .after(small.relu))
    insert("last", .atEnd)
    #expect(small.text == ["first(x)", "relu(x)", "middle(x)", "add(y,w)", "last(x)"])
    #expect(small.graph.nodesReversed == small.graph.nodes.reversed())
    #expect(small.graph.nodeCount == 5)
    small.graph.move(small.graph.node(named: "last")!, to: .before(small.relu))
    #expect(small.text == ["first(x)", "last(x)", "relu(x)", "middle(x)", "add(y,w)"])
    small.expectValid()
  }

  @Test mutating func operandsComeAndGo() {
    small.graph.setInput(3, of: small.add, to: small.x)
    #expect(small.text[1] == "add(y,w,,x)")
    small.expectValid()
    small.graph.truncateInputs(of: small.add, to: 1)
    #expect(small.text[1] == "add(y)")
    #expect(small.graph[small.w].uses.isEmpty)
    small.expectValid()
  }

  @Test mutating func replacingUsesIncludesTheSignature() {
    small.graph.addOutput(name: "again", small.z)
    small.graph.replaceAllUses(of: small.z, with: small.y)
    #expect(small.graph.outputs.map(\.value) == [small.y, small.y])
    #expect(small.graph.outputs.map(\.name) == ["z", "again"])
    // The signature keeps the type that its value had.
    #expect(small.graph.outputs[0].declaredType == .tensor(.float32, [.fixed(2)]))
    small.expectValid()
    small.graph.erase(small.add)
    small.graph.eraseInitializer(small.w)
    #expect(small.text == ["relu(x)"])
    #expect(small.graph.initializers.isEmpty)
    small.expectValid()
  }

  @Test mutating func identifiersAreNotReused() {
    let z = small.z
    small.graph.replaceAllUses(of: z, with: small.y)
    small.graph.erase(small.add)
    #expect(small.graph.value(z) == nil)
    #expect(small.graph.node(small.add) == nil)
    let node = small.graph.insert(
      OperationName("Neg"), name: "neg", inputs: [small.y], outputs: [("n", nil)], at: .atEnd)
    #expect(node != small.add)
    #expect(small.graph[node].outputs[0]! > z)
    // Nor are names: something outside may still speak of the old value.
    #expect(small.graph.uniqueName("z") == "z_1")
    small.expectValid()
  }

  @Test mutating func uniqueNamesCountUp() {
    let x = small.graph.inputs[0]
    func add(_ name: String) {
      small.graph.insert(
        OperationName("Neg"), name: "", inputs: [x], outputs: [(name, nil)], at: .atEnd)
    }
    let count = small.graph.nodeCount
    add("n")
    add("n_2")
    #expect(small.graph.uniqueName("n") == "n_1")
    #expect(small.graph.uniqueName("n") == "n_1")
    add("n_1")
    #expect(small.graph.uniqueName("n") == "n_3")
    #expect(small.graph.uniqueName("n_3") == "n_3")
    #expect(small.graph.nodeCount == count + 3)
    small.graph.erase(Array(small.graph.nodes).last!)
    #expect(small.graph.nodeCount == count + 2)
  }

  @Test mutating func everyDoorAdvancesTheRevision() {
    var revisions = [small.graph.revision]
    func note(_ change: (inout Graph) -> Void) {
      change(&small.graph)
      revisions.append(small.graph.revision)
    }
    note { $0.setType(of: small.y, to: .tensor(.float32, nil)) }
    note { $0.setAttribute(Attribute("a", 1), of: small.relu) }
    note { $0.setAttribute(Attribute("a", 2), of: small.relu) }
    note { $0.removeAttribute("a", of: small.relu) }
    note { $0.setTensor(of: small.w, to: Tensor([1, 2, 3], shape: [3])) }
    note { graph in
      graph.withTensor(of: small.w) { $0.withMutableElements(as: Float.self) { $0[0] = 5 } }
    }
    note { $0.setInput(1, of: small.add, to: nil) }
    note { $0.eraseInitializer(small.w) }
    note { $0.move(small.add, to: .atEnd) }
    #expect(zip(revisions, revisions.dropFirst()).allSatisfy { $0 < $1 })
    small.expectValid()
  }

  @Test mutating func tensorsAreChangedInPlace() {
    small.graph.withTensor(of: small.w) { $0.withMutableElements(as: Float.self) { $0[1] = 7 } }
    let storage = small.graph[small.w].constant?.storage.map(ObjectIdentifier.init)
    small.graph.withTensor(of: small.w) { $0.withMutableElements(as: Float.self) { $0[1] = 8 } }
    #expect(small.graph[small.w].constant?.storage.map(ObjectIdentifier.init) == storage)
    #expect(small.graph[small.w].constant?.floats == [1, 8])
    small.graph.setTensor(of: small.w, to: Tensor([1, 2, 3]))
    #expect(small.graph[small.w].tensorType == TensorType(.int64, fixed: [3]))
  }

  @Test func locations() {
    #expect(small.graph.location(of: small.relu).description == "node 'relu' (Relu)")
    var graph = small.graph
    let nameless = graph.insert(
      OperationName("Foo", domain: "a.b"), name: "", inputs: [], outputs: [nil, ("o", nil)],
      at: .atEnd)
    #expect(graph.location(of: nameless).description == "node 'o' (a.b.Foo)")
    #expect(OperationName("Relu", domain: "ai.onnx") == OperationName("Relu"))
  }
}
