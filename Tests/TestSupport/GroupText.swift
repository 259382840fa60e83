import PrunecCoupling
import PrunecGraphIR
import PrunecONNXText
import PrunecSemantics

/// A model with its coupling, for tests that speak of values by name.
package struct CoupledModel {
  package let graph: Graph
  package let facts: GraphFacts
  package let coupling: CouplingAnalysis

  package init(_ graph: Graph, direction: SplitDirection = .inner) throws {
    self.graph = graph
    facts = try GraphFacts(of: graph)
    coupling = CouplingAnalysis(of: graph, facts, options: .init(direction: direction))
  }

  /// Reads `text`, a model in ONNX's textual syntax.
  package init(_ text: String, direction: SplitDirection = .inner) throws {
    try self.init(parseModel(text).graph, direction: direction)
  }

  /// The groups that may be cut, a line each: `conv1, 4 channels: w[0] b[0] t[1] v[1]x9`. Every member is
  /// a value and an axis, with the number of indices per channel where that is not one.
  package var cuttable: [String] {
    coupling.groups.filter { $0.pin == nil }.map { group in
      let members = group.members.map { member in
        let factor = member.multiplicity == 1 ? "" : "x\(member.multiplicity)"
        return "\(graph[member.axis.value].name)[\(member.axis.index)]\(factor)"
      }
      return "\(group.name), \(group.count) channels: \(members.joined(separator: " "))"
    }
  }

  /// The indices that channel `channel` of the group called `name` has on an axis.
  package func indices(ofChannel channel: Int, of name: String, on value: String, axis: Int)
    -> [Int]
  {
    guard let group = coupling.groups.first(where: { $0.name == name }),
      let member = group.members.first(where: {
        graph[$0.axis.value].name == value && $0.axis.index == axis
      })
    else { return [] }
    return member.indices(ofChannel: channel).map(Int.init)
  }

  /// The axes of the named value of which some index may be cut.
  package func cuttableAxes(of value: String) -> [Int] {
    guard let id = graph.value(named: value) else { return [] }
    return coupling.axes(of: id).map(\.axis).filter(coupling.isCuttable).map(\.index)
  }

  /// Why the group that an axis belongs to may not be cut; `nil` if it may, or is in no group.
  package func pin(of value: String, axis: Int) -> String? {
    guard let id = graph.value(named: value),
      let (group, _) = coupling.channel(of: Axis(id, axis), index: 0)
    else { return nil }
    return coupling.groups[group].pin?.description
  }
}
