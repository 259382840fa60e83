import PrunecGraphIR
import PrunecTensors
import Testing

/// `y = Conv (x, w); z = Scale (y, s)`, of which `z` is the output.
private struct Layers {
  var graph = Graph(name: "g", opsetImports: [OpsetImport("", 21)])
  let x: ValueID
  let w: ValueID
  let s: ValueID
  let conv: NodeID
  let scale: NodeID

  init() {
    x = graph.addInput(name: "x", type: nil)
    w = graph.addInitializer(name: "w", Tensor([1, 2], shape: [2, 1]))
    s = graph.addInitializer(name: "s", Tensor([1, 2], shape: [2]))
    conv = graph.insert(
      OperationName("Conv"), name: "conv", inputs: [x, w], outputs: [("y", nil)], at: .atEnd)
    scale = graph.insert(
      OperationName("Scale", domain: "own"), name: "", inputs: [graph[conv].outputs[0], s],
      outputs: [("z", nil)], at: .atEnd)
    graph.addOutput(name: "z", graph[scale].outputs[0]!)
  }

  var nodeNames: [String] { graph.nodes.map { graph[$0].name } }
}

@Suite struct GraphBuilderTests {
  private var layers = Layers()

  @Test mutating func namesBeginWithTheFirstResult() {
    let (x, before) = (layers.x, layers.graph)
    let built = layers.graph.build(before: layers.conv) { build in
      let two = build.addConstant(Tensor([2]), "two")
      let product = build.add("Mul", [x, two])
      return [two, product, build.add("Mul", [product, two])]
        + build.add("Split", [product], [Attribute("axis", 0)], resultCount: 2)
    }
    #expect(built.map { layers.graph[$0].name } == ["y.two", "y.Mul", "y.Mul_1", "y.0", "y.1"])
    #expect(layers.nodeNames == ["y.Mul", "y.Mul_1", "y.Split", "conv", ""])
    #expect(Verifier.violations(in: layers.graph, rewriting: before) == [])
  }

  @Test mutating func stemsAndSuffixesAreTheCallers() {
    let (x, type) = (layers.x, ValueType.tensor(.float32, [.fixed(2)]))
    layers.graph.build(at: .after(layers.conv), standingFor: [layers.conv], stem: "x") {
      let first = $0.add("Neg", [x], suffix: "negative", resultType: type)
      _ = $0.add("Abs", [first])
      _ = $0.addConstant(Tensor([2]))
    }
    #expect(layers.nodeNames == ["conv", "x.negative", "x.Abs", ""])
    #expect(layers.graph[layers.graph.value(named: "x.negative")!].type == type)
    #expect(layers.graph.value(named: "x_1") != nil)
  }

  /// Diagnostics speak of what the user knows, also once that is gone.
  @Test mutating func originsOutliveTheirNodes() {
    let original = layers.graph
    let y = layers.graph[layers.conv].outputs[0]!
    let first = layers.graph.build(before: layers.scale) { $0.add("Neg", [y]) }
    layers.graph.replaceAllUses(of: layers.graph[layers.scale].outputs[0]!, with: first)
    layers.graph.erase(layers.scale)
    let neg = layers.graph[first].definingNode!
    let second = layers.graph.build(before: neg) { $0.add("Abs", [y]) }
    let abs = layers.graph[second].definingNode!
    #expect(layers.graph.location(of: abs).description == "node 'z' (own.Scale)")
    #expect(layers.graph.origins(of: abs).map(\.node) == [layers.scale])
    #expect(layers.graph[abs].name == "z.Neg.Abs")
    #expect(Verifier.violations(in: layers.graph, rewriting: original) == [])
  }

  @Test mutating func copiesSpeakOfThemselves() {
    let (original, x, scale) = (layers.graph, layers.x, layers.scale)
    let id = layers.graph.build(before: scale) { build in
      build.addCopy(
        of: original[scale], name: "scale/copy", inputs: [x, nil], captures: [],
        outputs: [("c", nil)], attributes: [Attribute("a", 1)])
    }
    #expect(layers.graph.location(of: id).description == "node 'scale/copy' (own.Scale)")
    #expect(layers.graph.origins(of: id).map(\.node) == [scale])
    #expect(layers.graph[id].attributes.map(\.name) == ["a"])
    #expect(Verifier.violations(in: layers.graph, rewriting: original) == [])
  }

  @Test mutating func mergedNodesKeepTheirOwnOriginFirst() {
    layers.graph.addOrigins(of: layers.scale, to: layers.conv)
    layers.graph.addOrigins(of: layers.scale, to: layers.conv)
    #expect(layers.graph.origins(of: layers.conv).map(\.label) == ["conv", "z"])
    #expect(layers.graph.location(of: layers.conv).description == "node 'conv' (Conv)")
  }

  @Test mutating func axesOfConstantsLeadToTheOriginals() {
    let (w, s) = (layers.w, layers.s)
    let built = layers.graph.build(before: layers.scale) {
      $0.addConstant(Tensor([1, 2], shape: [1, 2]), "t", axes: [1: [Axis(w, 0)]])
    }
    layers.graph.addOrigins(of: [Axis(built, 1)], to: Axis(s, 0))
    func origins(_ axis: Axis) -> [String] { layers.graph.origins(of: axis).map(\.name) }
    #expect(origins(Axis(built, 1)) == ["w"])
    #expect(origins(Axis(built, 0)) == [])
    #expect(origins(Axis(s, 0)) == ["s", "w"])
    #expect(origins(Axis(w, 1)) == ["w"])
  }

  @Test mutating func anOriginalStandsForItself() {
    let x = layers.x
    let ids = layers.graph.build(before: layers.conv) {
      [$0.add("Neg", [x]), $0.addConstant(Tensor([1, 2]), "t")]
    }
    let neg = layers.graph[ids[0]].definingNode!
    layers.graph.becomeOriginal()
    #expect(layers.graph.origins(of: neg).map(\.node) == [neg])
    #expect(layers.graph.location(of: neg).description == "node 'conv' (Conv)")
    #expect(layers.graph.origins(of: Axis(ids[1], 0)).map(\.name) == ["y.t"])
  }

  @Test func anImportedGraphIsAnOriginalAlready() {
    var graph = layers.graph
    graph.becomeOriginal()
    #expect(graph.revision == layers.graph.revision)
  }
}
