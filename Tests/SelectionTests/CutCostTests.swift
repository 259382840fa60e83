import PrunecCoupling
import PrunecGraphIR
import PrunecPassKit
import PrunecPasses
import PrunecSelection
import PrunecSemantics
import PrunecTestSupport
import Testing

/// What a selection is foreseen to cost against the cost of the graph that shrinking makes.
@Suite struct CutCostTests {
  @Test(arguments: SplitDirection.allCases)
  func foreseenCostIsThatOfTheShrunkGraph(direction: SplitDirection) throws {
    var cutCount = 0
    for seed in 1000..<1060 {
      let original = RandomGraph.model(seed: UInt64(seed)).graph
      var graph = original
      var context = PassContext(original: graph)
      context.couplingOptions.direction = direction
      var manager = try PassManager(
        Pipeline(
          "score-channels{criterion=random seed=\(seed)},mask-channels{ratio=0.5 align=1},shrink-channels"
        ), registry: allPasses)
      try manager.run(on: &graph, &context)
      let kept = try #require(context.shrinkage).keptIndices
      if !kept.isEmpty { cutCount += 1 }

      let model = try CoupledModel(original, direction: direction)
      let counts = model.coupling.groups.map { group in
        group.members.lazy.compactMap { member -> Int? in
          guard let indices = kept[member.axis].map(Set.init) else { return nil }
          return (0..<group.count).count { channel in
            member.indices(ofChannel: channel).allSatisfy { indices.contains(Int($0)) }
          }
        }.first ?? group.count
      }
      let foreseen = CutCost(model.graph, model.facts, model.coupling)
      let actual = Cost(of: graph, try GraphFacts(of: graph))
      #expect(foreseen.total(.macs, keeping: counts) == actual.macs, "seed \(seed)")
      #expect(foreseen.total(.parameters, keeping: counts) == actual.parameters, "seed \(seed)")
      let whole = Cost(of: original, model.facts)
      let all = model.coupling.groups.map(\.count)
      #expect(foreseen.total(.macs, keeping: all) == whole.macs)
      for quantity in [CutCost.Quantity.macs, .parameters] {
        for group in all.indices {
          var fewer = counts
          fewer[group] /= 2
          let saving = foreseen.saving(
            quantity, byKeeping: fewer[group], ofGroup: group, from: counts)
          let difference =
            foreseen.total(quantity, keeping: counts) - foreseen.total(quantity, keeping: fewer)
          #expect(saving == difference, "seed \(seed)")
        }
      }
    }
    #expect(cutCount > 30)
  }
}
