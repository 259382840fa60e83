import Foundation
import PrunecCoupling
import PrunecDriver
import PrunecGraphIR
import PrunecONNXFormat
import PrunecONNXText
import PrunecPassKit
import PrunecSelection
import PrunecSemantics
import PrunecTestSupport
import Testing

/// A trained model of `Fixtures/Models`.
func fixture(_ name: String) throws -> Model {
  let path = packageDirectory.appending(path: "Fixtures/Models/\(name).onnx").path
  return try importModel(path: path).model
}

/// Half of all channels, exactly, with weights that are slices of the original's.
func halving(_ change: (inout PruneOptions) -> Void = { _ in }) -> PruneOptions {
  var options = PruneOptions()
  options.budget = .ratio(0.5)
  options.guards.alignment = .multiple(1)
  options.compensation = .nothing
  change(&options)
  return options
}

@Suite struct PrunerTests {
  private static let small = """
    main (float[N,8] x) => (float[N,4] y)
    <float[8,32] w1 = {...}, float[32] b1 = {...}, float[32,16] w2 = {...}, float[16,4] w3 = {...}>
    {
      [fc1] a = Gemm (x, w1, b1)
      [relu] r = Relu (a)
      [fc2] b = MatMul (r, w2)
      [fc3] y = MatMul (b, w3)
    }
    """

  @Test func lenet() throws {
    let model = try fixture("lenet300")
    let result = try Pruner(halving()).prune(model)
    let report = result.report
    // 784-300-100-10 becomes 784-150-50-10.
    #expect(report.before.parameters == 784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10)
    #expect(report.after.parameters == 784 * 150 + 150 + 150 * 50 + 50 + 50 * 10 + 10)
    #expect(report.before.macs == 784 * 300 + 300 * 100 + 100 * 10)
    #expect(report.after.macs == 784 * 150 + 150 * 50 + 50 * 10)
    #expect(report.layers.map(\.channelsBefore) == [300, 100, 10])
    #expect(report.layers.map(\.channelsAfter) == [150, 50, 10])
    let free = report.groups.filter { $0.pinned == nil }
    #expect(free.map(\.channelsBefore) == [300, 100])
    #expect(free.map(\.channelsAfter) == [150, 50])
    #expect(report.check.status == "passed")
    #expect(try #require(report.check.maxRelative) < 1e-5)
    #expect(try report.pipeline == halving().pipelineText())
    #expect(report.passes.last?.name == "sink-branches")
    #expect(Verifier.violations(in: result.model.graph) == [])
    #expect(differences(between: model, and: try fixture("lenet300")) == [], "the original stays")
  }

  /// What a sequence holds is pruned, and checked, as if there were none.
  @Test func sequences() throws {
    let model = try parseModel(
      """
      main (float[N,8] x) => (float[N,4] y)
      <float[8,32] w1 = {...}, float[32,4] w2 = {...}, int64 half = {16}, int64 zero = {0}, int64 one = {1}>
      {
        [fc1] a = MatMul (x, w1)
        s = SplitToSequence <axis = 1> (a, half)
        b = SequenceAt (s, zero)
        c = SequenceAt (s, one)
        r = Relu (b)
        t = SequenceConstruct (c, r)
        j = ConcatFromSequence <axis = 1> (t)
        [fc2] y = MatMul (j, w2)
      }
      """)
    let result = try Pruner(halving()).prune(model)
    #expect(result.report.after.parameters == 8 * 16 + 16 * 4)
    #expect(result.report.check.status == "passed")
    #expect(result.warnings.isEmpty)
  }

  /// The masked model is the original with some channels masked, in operators that any runtime has.
  @Test func maskedModel() throws {
    let model = try parseModel(Self.small)
    let result = try Pruner(halving()).prune(model)
    let graph = try result.masked().graph
    #expect(graph.opsetImports.map(\.domain) == [""])
    #expect(
      graph.nodes.map { graph[$0].operation.type }.sorted() == [
        "Gemm", "MatMul", "MatMul", "Relu", "Where", "Where",
      ])
    let inputs = try SeededInputs(seed: 4).tensors(for: model.graph)
    let comparison = Comparison(
      try ReferenceEvaluator(result.model.graph).run(inputs),
      expected: try ReferenceEvaluator(graph).run(inputs))
    #expect(comparison.maxRelative < 1e-5)
  }

  private func layersAround(_ node: String) throws -> PruneReport {
    let model = try parseModel(
      """
      main (float[N,8] x, bool c, int64 trips) => (float[N,2] y)
      <float[8,6] w1 = {...}, float[6,4] w2 = {...}, float[4,8] w3 = {...}, float[8,2] w4 = {...},
       float[N,4] d>
      {
        [fc1] a = MatMul (x, w1)
        [fc2] b = MatMul (a, w2)
        \(node)
        [fc3] f = MatMul (d, w3)
        [fc4] y = MatMul (f, w4)
      }
      """)
    return try Pruner(halving()).prune(model).report
  }

  /// The branches of an If are pruned like the rest, and all of it is checked.
  @Test func branches() throws {
    let report = try layersAround(
      """
      [if] d = If (c) <
        then_branch = t () => (float[N,4] u) { u = Relu (b) },
        else_branch = e () => (float[N,4] v) <float[4,6] p = {...}, float[6,4] q = {...}> {
          [inner] h = MatMul (b, p)
          [last] v = MatMul (h, q)
        }>
      """)
    let kept = report.layers.map { "\($0.name) \($0.channelsAfter)" }
    #expect(kept == ["fc1 3", "fc2 2", "fc3 4", "fc4 2", "inner 3", "last 2"])
    #expect(report.check.status == "passed")
  }

  @Test func branchesSideBySideAreSaid() throws {
    let model = try parseModel(
      """
      main (bool c, float[2,3] x) => (float[2,3] y)
      {
        y = If (c) <
          then_branch = t () => (float[2,3] u) { u = Relu (x) },
          else_branch = e () => (float[2,3] v) { v = Neg (x) }>
      }
      """)
    var options = PruneOptions()
    options.pipeline = "hoist-branches"
    let said = try Pruner(options).prune(model).warnings.map(\.message)
    #expect(said.contains { $0.hasPrefix("the result has branches side by side") })
    options.pipeline = "hoist-branches,sink-branches"
    let sunk = try Pruner(options).prune(model)
    #expect(!sunk.warnings.contains { $0.message.hasPrefix("the result has branches") })
    #expect(sunk.report.check.status == "passed")
  }

  /// Channels that cross the border of a loop stay; the rest is pruned, and all of it is checked.
  @Test func loops() throws {
    let report = try layersAround(
      """
      d = Loop (trips, c, b) <
        body = l (int64 i, bool g, float[N,4] h) => (bool more, float[N,4] u) {
          more = Identity (g)
          u = Relu (h)
        }>
      """)
    #expect(report.layers.map(\.channelsAfter) == [3, 4, 4, 2])
    #expect(report.check.status == "passed")
  }

  /// Asking for heads is asking for the outer direction; for both factors in one run, too much.
  @Test func kindsDecideTheDirection() throws {
    var options = PruneOptions()
    options.budget = .ratio(0.5)
    options.guards.alignment = .multiple(1)
    options.guards.only = [.head]
    let heads = try Pruner(options).prune(fixture("vit")).report
    let cut = heads.groups.filter { $0.channelsAfter < $0.channelsBefore }
    #expect(cut.map(\.kind.rawValue) == ["head", "head", "head", "head"])
    #expect(cut.allSatisfy { $0.channelsBefore == 4 && $0.channelsAfter == 2 })
    options.guards.ratios = [("head-dim", 0.25)]
    let error = #expect(throws: CompileError.self) { try Pruner(options).prune(fixture("vit")) }
    #expect(error?.kind == .usage)
  }

  @Test func sameOptionsSameBytes() throws {
    let bytes = try (0..<2).map { _ in
      var options = PruneOptions()
      options.guards.minChannels = 2
      return try serialize(Pruner(options).prune(parseModel(Self.small)).model)
    }
    #expect(bytes[0] == bytes[1])
  }

  @Test func checkCanBeLeftOut() throws {
    let result = try Pruner(halving { $0.check = false }).prune(parseModel(Self.small))
    #expect(result.report.check.status == "skipped")
    #expect(result.report.check.maxRelative == nil)
  }

  /// An embedding that is its own transposed output weight stays one weight, and the budget holds.
  @Test func tiedWeightsStayTied() throws {
    let text = """
      main (float[N,8] x) => (float[N,8] y)
      <float[8,32] w = {...}>
      {
        h = MatMul (x, w)
        r = Relu (h)
        t = Transpose <perm = [1, 0]> (w)
        y = MatMul (r, t)
      }
      """
    var options = PruneOptions()
    options.budget = .parameters(0.5)
    let report = try Pruner(options).prune(parseModel(text)).report
    #expect(report.before.parameters == 256)
    #expect(report.after.parameters <= 128)
  }

  /// A name counts though the pass that folds batch normalizations has removed its bearer.
  @Test(arguments: ["scale", "variance", "z"])
  func namesOfFoldedNodesCount(name: String) throws {
    let text = """
      main (float[N,8] x) => (float[N,4] y)
      <
        float[8,16] w = {...}, float[16] b = {...}, float[16] scale = {...},
        float[16] shift = {...}, float[16] mean = {...}, float[16] variance = {...},
        float[16,4] v = {...}
      >
      {
        h = Gemm (x, w, b)
        z = BatchNormalization <epsilon = 1.0> (h, scale, shift, mean, variance)
        r = Relu (z)
        y = MatMul (r, v)
      }
      """
    let options = halving { $0.guards.keep = [name] }
    let report = try Pruner(options).prune(parseModel(text)).report
    #expect(report.layers.map(\.channelsAfter) == [16, 4])
    #expect(report.warnings == ["warning: no channel has been removed"])
  }

  @Test func budgetOutOfReach() throws {
    let options = halving { $0.budget = .macs(0.01) }
    let error = #expect(throws: CompileError.self) {
      try Pruner(options).prune(parseModel(Self.small))
    }
    #expect(error?.kind == .checkFailed)
  }

  @Test func usageErrors() {
    for pipeline in [
      "shrink-chanels", "mask-channels", "score-channels{criterion=l3}", "fixpoint(",
    ] {
      let error = #expect(throws: CompileError.self) {
        var options = PruneOptions()
        options.pipeline = pipeline
        return try Pruner(options).prune(parseModel(Self.small))
      }
      #expect(error?.kind == .usage, "\(pipeline)")
      #expect(error?.diagnostics[0].message != "a pipeline says all that is done")
    }
  }

  /// Nothing runs but the pipeline: masks that it leaves stay, and are spoken of.
  @Test func masksThatAPipelineLeaves() throws {
    var options = PruneOptions()
    options.pipeline = "score-channels,mask-channels{ratio=0.5}"
    let left = try Pruner(options).prune(parseModel(Self.small))
    #expect(left.warnings.contains { $0.message.hasPrefix("the result has masks") })
    #expect(left.model.graph.nodes.contains { left.model.graph[$0].operation.isMask })
    options.pipeline! += ",lower-masks"
    let lowered = try Pruner(options).prune(parseModel(Self.small))
    #expect(!lowered.warnings.contains { $0.message.hasPrefix("the result has masks") })
    #expect(!lowered.model.graph.nodes.contains { lowered.model.graph[$0].operation.isMask })
  }

  /// Samples are made up for a pipeline that asks for them, and for no other.
  @Test func samplesOfAPipeline() throws {
    var options = PruneOptions()
    options.samples = .synthetic
    options.pipeline = "score-channels"
    #expect(try Pruner(options).prune(parseModel(Self.small)).report.agreement == nil)
    options.pipeline = "fixpoint(collect-statistics{data=synthetic})"
    #expect(try Pruner(options).prune(parseModel(Self.small)).report.agreement != nil)
  }

  private static let unknown = """
    main (float[N,8] x) => (float[N,4] y)
    <float[8,6] w1 = {...}, float[6,6] w2 = {...}, float[6,4] w3 = {...}, float[N,6] b, float[N,6] c>
    {
      [fc1] a = MatMul (x, w1)
      [odd1] b = com.example.Odd (a)
      [odd2] c = com.example.Odd (b)
      [fc2] d = MatMul (c, w2)
      [fc3] y = MatMul (d, w3)
    }
    """

  @Test func unknownOperators() throws {
    let result = try Pruner(halving()).prune(parseModel(Self.unknown))
    #expect(result.report.layers.map(\.channelsAfter) == [6, 3, 4])
    // What they make is made up.
    #expect(result.report.check.status == "passed")
    #expect(
      result.report.check.omission == "operators that are not known: com.example.Odd")
    // Said once for an operator, not for every node.
    #expect(
      result.warnings.map(\.message) == [
        "operator com.example.Odd is not known in opset 1",
        "the result has been checked but for operators that are not known: com.example.Odd",
      ])
  }

  @Test func strictModeRefusesUnknownOperators() throws {
    let error = #expect(throws: CompileError.self) {
      try Pruner(halving { $0.isStrict = true }).prune(parseModel(Self.unknown))
    }
    #expect(error?.kind == .unsupported)
    #expect(
      error?.diagnostics.map { $0.location?.description } == [
        "node 'odd1' (com.example.Odd)", "node 'odd2' (com.example.Odd)",
      ])
    let result = try Pruner(halving { $0.isStrict = true }).prune(parseModel(Self.small))
    #expect(result.report.check.status == "passed")
  }

  @Test func reportAsJSON() throws {
    let result = try Pruner(halving()).prune(parseModel(Self.small))
    let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(result.report))
    let report = try #require(json as? [String: Any])
    #expect(report["schema_version"] as? Int == 1)
    #expect(
      report.keys.sorted() == [
        "after", "agreement", "before", "check", "groups", "input_shapes", "layers", "passes",
        "pipeline",
        "schema_version", "warnings",
      ])
    for key in ["before", "after"] {
      let size = try #require(report[key] as? [String: Any])
      #expect(size.keys.sorted() == ["bytes", "macs", "nodes", "parameters"])
    }
  }

  @Test func inspection() throws {
    let inspection = try Inspection(of: parseModel(Self.small), direction: .inner)
    #expect(inspection.parameters == 8 * 32 + 32 + 32 * 16 + 16 * 4)
    #expect(inspection.macs == 8 * 32 + 32 * 16 + 16 * 4)
    let group = inspection.groups[0]
    #expect((group.name, group.channels) == ("fc1", 32))
    #expect(group.parameters == 8 * 32 + 32 + 32 * 16)
    #expect(group.macs == 8 * 32 + 32 * 16)
    #expect(group.members.filter(\.isInitializer).map(\.value) == ["w1", "b1", "w2"])
    let last = inspection.groups.last { $0.name == "fc3" }
    #expect(last?.pinned == "value 'y': is an output of the graph")
    #expect(last?.parameters == 0)
  }
}

@Suite struct PruneOptionTests {
  @Test func pipelines() throws {
    #expect(
      try PruneOptions().pipelineText()
        == "fixpoint(eliminate-identities,fold-constants,inline-branches,hoist-branches,fix-shape-constants,separate-shape-constants,"
        + "eliminate-dead-nodes),correct-types,separate-shared-vectors,"
        + "couple-channels{direction=inner},"
        + "fold-batch-norm,eliminate-dead-nodes,score-channels{criterion=l2 seed=0},"
        + "mask-channels{macs=0.5 scope=global align=auto max-ratio=0.9 min-channels=8},"
        + "merge-neurons,shrink-channels,"
        + "fixpoint(eliminate-identities,fold-constants,eliminate-dead-nodes),"
        + "merge-equal-vectors,lower-masks,sink-branches")
    let options = halving {
      $0.criterion = .random
      $0.seed = 7
      $0.scope = .uniform
      $0.guards.keep = ["a b"]
      $0.guards.ratios = [("c*", 0.25)]
    }
    let text = try options.pipelineText()
    #expect(text.contains("score-channels{criterion=random seed=7}"))
    #expect(
      text.contains(
        "mask-channels{ratio=0.5 scope=uniform align=1 max-ratio=0.9 min-channels=8 "
          + "keep=\"a b\" ratio-for=c*=0.25}"))
    #expect(!text.contains("merge-neurons"))
  }

  /// A pipeline of one's own is all that runs: an option that would be part of it is refused.
  @Test func pipelinesOfOnesOwn() throws {
    var options = PruneOptions()
    options.pipeline = "a,b"
    options.seed = 7
    options.isStrict = true
    #expect(try options.pipelineText() == "a,b")
    for change: (inout PruneOptions) -> Void in [
      { $0.budget = .macs(0.4) }, { $0.scope = .uniform }, { $0.criterion = .l1 },
      { $0.compensation = .nothing }, { $0.guards.keep = ["fc1"] }, { $0.direction = .outer },
    ] {
      var changed = options
      change(&changed)
      let error = #expect(throws: CompileError.self) { try changed.pipelineText() }
      #expect(error?.kind == .usage)
    }
  }

  /// The scale of a normalization can only be measured while it is there.
  @Test func scalesAreScoredBeforeTheyAreFolded() throws {
    let text = try halving { $0.criterion = .bnScale }.pipelineText()
    let score = try #require(text.range(of: "score-channels"))
    let fold = try #require(text.range(of: "fold-batch-norm"))
    #expect(score.lowerBound < fold.lowerBound)
  }

  @Test(arguments: [PruneOptions(), halving { $0.criterion = .bnScale }])
  func pipelinesRoundTrip(options: PruneOptions) throws {
    let text = try options.pipelineText()
    #expect(try Pipeline(text).description == text)
  }
}
