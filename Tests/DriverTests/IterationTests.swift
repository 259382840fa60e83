import PrunecGraphIR
import PrunecSelection
import PrunecTensors
import Testing

@testable import PrunecDriver

/// Budgets that are reached in several cuts.
@Suite struct IterationTests {
  private func options(_ budget: Budget, _ iterations: Int) -> PruneOptions {
    halving {
      $0.budget = budget
      $0.iterations = iterations
      $0.guards.alignment = .multiple(1)
      $0.compensation = Compensation.nothing
    }
  }

  @Test(arguments: [Budget.macs(0.3), .parameters(0.3)])
  func budgetsAreAboutTheOriginal(_ budget: Budget) throws {
    let report = try Pruner(options(budget, 3)).prune(fixture("lenet300")).report
    let (before, after) = (report.before, report.after)
    let kept =
      if case .macs = budget { Double(after.macs) / Double(before.macs) } else {
        Double(after.parameters) / Double(before.parameters)
      }
    #expect(kept <= 0.3 && kept > 0.29)
    #expect(report.groups.map(\.channelsBefore) == [300, 100, 10])
    #expect(report.layers.map(\.channelsAfter) == report.groups.map(\.channelsAfter))
    #expect(report.check.status == "passed")
  }

  @Test func ratiosComeToWhatOneCutDoes() throws {
    func counts(_ iterations: Int) throws -> [Int] {
      var options = options(.ratio(0.55), iterations)
      options.guards.ratios = [("/fc2/*", 0.3)]
      return try Pruner(options).prune(fixture("lenet300")).report.groups.map(\.channelsAfter)
    }
    #expect(try counts(1) == [135, 70, 10])
    #expect(try counts(3) == counts(1))
  }

  /// Several cuts together leave no less than one cut may.
  @Test func guardsAreAboutTheOriginal() throws {
    var options = options(.macs(0.3), 4)
    options.guards.maxRatio = 0.45
    let error = #expect(throws: CompileError.self) {
      try Pruner(options).prune(fixture("lenet300"))
    }
    #expect(error?.kind == .checkFailed)
    options = self.options(.macs(0.4), 4)
    options.guards.alignment = .auto
    let groups = try Pruner(options).prune(fixture("lenet300")).report.groups
    #expect(groups[0].channelsAfter >= 32)
    #expect(groups[..<2].allSatisfy { $0.channelsAfter % 16 == 0 || $0.channelsAfter == 100 })
  }

  @Test func thePlanIsAboutTheOriginal() throws {
    let model = try fixture("lenet300")
    let result = try Pruner(options(.macs(0.3), 3)).prune(model)
    let small = result.model.graph
    #expect(!result.plan.initializers.isEmpty)
    for (name, axes) in result.plan.initializers {
      let value = try #require(model.graph.initializers.first { model.graph[$0].name == name })
      let now = try #require(small.initializers.first { small[$0].name == name })
      var tensor = model.graph[value].constant!
      for (axis, kept) in axes { tensor = tensor.keeping(kept, alongAxis: Int(axis)!) }
      #expect(tensor.floats == small[now].constant!.floats)
    }
  }

  @Test func stepsAreEqualShares() throws {
    var options = options(.macs(0.25), 2)
    options.samples = .given
    let text = try options.pipelineText()
    #expect(text.contains("mask-channels{macs=0.5 ") && text.contains("mask-channels{macs=0.25 "))
    #expect(text.components(of: "measure-damage") == 2)
    #expect(text.components(of: "rotate-heads") == 1)
    options.budget = .latency(.fraction(0.5), on: .runtime(threads: nil))
    let error = #expect(throws: CompileError.self) { try options.pipelineText() }
    #expect(error?.kind == .usage)
  }
}

extension String {
  /// Number of times that `part` occurs.
  fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
