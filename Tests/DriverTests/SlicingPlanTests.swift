import Foundation
import PrunecDriver
import PrunecGraphIR
import PrunecSemantics
import PrunecTensors
import Testing

@Suite struct SlicingPlanTests {
  private func sliced(_ tensor: Tensor, _ axes: [String: [Int]]?) -> Tensor {
    (axes ?? [:]).sorted { $0.key < $1.key }.reduce(tensor) { tensor, entry in
      tensor.keeping(entry.value, alongAxis: Int(entry.key)!)
    }
  }

  /// Slicing the original's weights by the plan gives the pruned model's, bit by bit.
  @Test(arguments: ["lenet300", "resnet20"])
  func planReproducesTheWeights(name: String) throws {
    let original = try fixture(name).graph
    let result = try Pruner(halving { $0.check = false }).prune(fixture(name))
    let pruned = result.model.graph
    let plan = result.plan.initializers
    var comparedCount = 0
    for id in original.initializers {
      let value = original[id]
      guard let tensor = value.constant, let small = pruned.value(named: value.name),
        tensor.elementType.isFloatingPoint
      else { continue }
      comparedCount += 1
      #expect(sliced(tensor, plan[value.name]) == pruned[small].constant, "\(value.name)")
    }
    #expect(comparedCount > 5)
    #expect(plan.count > 4)
    let unknown = plan.keys.filter { original.value(named: $0) == nil }
    #expect(unknown == [])
  }

  /// Parameters of batch normalizations are in the plan though the pruned model has none: the original,
  /// cut by the plan, computes what the pruned model does.
  @Test func planIncludesFoldedNormalizations() throws {
    var original = try fixture("resnet20-bn").graph
    let result = try Pruner(halving { $0.check = false }).prune(fixture("resnet20-bn"))
    let isNormalization = { (id: NodeID) in original[id].operation.type == "BatchNormalization" }
    #expect(original.nodes.contains(where: isNormalization))
    #expect(
      !result.model.graph.nodes.contains {
        result.model.graph[$0].operation.type == "BatchNormalization"
      })
    for node in original.nodes.filter(isNormalization) {
      // Equal parameters are stored once, and reach the others through Identity nodes.
      for input in original[node].inputs[1...4] where original[input!].constant != nil {
        let name = original[input!].name
        #expect(result.plan.initializers[name]?["0"] != nil, "\(name)")
      }
    }
    for id in original.initializers {
      guard let tensor = original[id].constant,
        let axes = result.plan.initializers[original[id].name]
      else { continue }
      original.setTensor(of: id, to: sliced(tensor, axes))
    }
    for id in original.valueIDs where original[id].definingNode != nil {
      original.setType(of: id, to: nil)
    }
    let inputs = try SeededInputs(seed: 3).tensors(for: original)
    let comparison = Comparison(
      try ReferenceEvaluator(result.model.graph).run(inputs),
      expected: try ReferenceEvaluator(original).run(inputs))
    #expect(comparison.maxRelative < 1e-4)
  }

  /// Names of the small model's initializers whose values no slice gives, and all of those.
  @Test(arguments: [
    ("lenet300", Compensation.nothing, true), ("lenet300", .merge, false),
    ("resnet20-bn", .nothing, false),
  ])
  func planTellsWhatHasChanged(
    _ name: String, _ compensation: Compensation, _ isPlain: Bool
  ) throws {
    let original = try fixture(name).graph
    let result = try Pruner(
      halving {
        $0.check = false
        $0.compensation = compensation
      }
    ).prune(fixture(name))
    let pruned = result.model.graph
    #expect(result.plan.changed.isEmpty == isPlain)
    for id in pruned.initializers {
      let (name, tensor) = (pruned[id].name, try #require(pruned[id].constant))
      if let source = result.plan.changed[name] {
        guard let source else {
          #expect(original.value(named: name) == nil)
          continue
        }
        let before = try #require(original.value(named: source))
        let whole = try #require(original[before].constant)
        #expect(sliced(whole, result.plan.initializers[source]) != tensor, "\(name)")
      } else if let before = original.value(named: name) {
        let whole = try #require(original[before].constant)
        #expect(sliced(whole, result.plan.initializers[name]) == tensor, "\(name)")
      }
    }
  }

  @Test func planAsJSON() throws {
    let result = try Pruner(halving { $0.check = false }).prune(fixture("lenet300"))
    let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(result.plan))
    let plan = try #require(json as? [String: Any])
    #expect(plan.keys.sorted() == ["changed", "initializers", "schema_version"])
    #expect(plan["schema_version"] as? Int == 2)
    let initializers = try #require(plan["initializers"] as? [String: [String: [Int]]])
    #expect(initializers.values.flatMap(\.values).allSatisfy { $0 == $0.sorted() && !$0.isEmpty })
  }
}

/// Whole networks, checked as a user's run checks them.
@Suite struct TrainedModelTests {
  @Test func resnet() throws {
    let result = try Pruner(halving()).prune(fixture("resnet20"))
    #expect(result.report.check.status == "passed")
    let share = Double(result.report.after.parameters) / Double(result.report.before.parameters)
    #expect((0.24...0.27).contains(share), "half of both axes of nearly every weight: \(share)")
    #expect(
      result.report.layers.allSatisfy {
        $0.channelsAfter * 2 == $0.channelsBefore || $0.channelsAfter == 10
      })
    #expect(result.warnings == [])
  }

  /// Everything at its default, as in the first command of the README.
  @Test func defaults() throws {
    var options = PruneOptions()
    options.check = false
    let report = try Pruner(options).prune(fixture("resnet20")).report
    let share = Double(report.after.macs) / Double(report.before.macs)
    #expect((0.4...0.5).contains(share))
    // Aligned to four channels, and to sixteen in the widest groups.
    #expect(report.layers.allSatisfy { $0.channelsAfter % 4 == 0 || $0.channelsAfter == 10 })
  }
}
