import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecOperators
import PrunecSemantics

/// A group of masked channels that one layer alone reads: which of them stay can be chosen anew until that layer runs.
///
/// Nothing but the layer sums or gathers over the channels. Depthwise layers between, each channel of which depends on one
/// channel, may have masks of their own.
package struct ReselectableGroup: Sendable {
  /// A mask of the group, and for each channel the indices of what it masks.
  private struct Place: Sendable {
    let mask: MaskNode
    let indices: [[Int]]
  }

  /// Index of the group in the coupling.
  package let group: Int
  /// The node of the layer.
  package let consumer: NodeID
  /// For each channel the indices of the layer's input that hold it.
  package let indices: [[Int]]
  /// The channels that the masks keep.
  package let kept: [Int]
  private let places: [Place]

  /// Longest row of a layer whose channels are chosen anew: the work grows with its third power.
  private static let lengthLimit = 2304

  /// The groups of a masked graph that can be chosen anew. `facts` have numbers for all extents.
  package static func all(
    in graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis
  ) -> [ReselectableGroup] {
    var masks: [Int: [MaskNode]] = [:]
    for id in graph.nodes {
      guard let mask = MaskNode(id, graph, facts), let extent = coupling.extent(of: mask.axis)
      else { continue }
      let groups = Set(
        (0..<extent).compactMap { coupling.channel(of: mask.axis, index: $0)?.group })
      for group in groups { masks[group, default: []].append(mask) }
    }
    return masks.keys.sorted().compactMap {
      ReselectableGroup($0, masks[$0]!, graph, facts, coupling)
    }
  }

  private init?(
    _ group: Int, _ masks: [MaskNode], _ graph: Graph, _ facts: GraphFacts,
    _ coupling: CouplingAnalysis
  ) {
    var consumers: [(node: NodeID, place: Place)] = []
    var places: [Place] = []
    for mask in masks {
      guard mask.fill == .zero, mask.blocks == 1, mask.zero == 0,
        let member = coupling.groups[group].members.first(where: { $0.axis == mask.axis }),
        member.indices.count == coupling.extent(of: mask.axis)
      else { return nil }
      let place = Place(
        mask: mask,
        indices: (0..<coupling.groups[group].count).map { channel in
          member.indices(ofChannel: channel).map(Int.init)
        })
      places.append(place)
      for use in graph[graph[mask.node].outputs[0]!].uses {
        guard let node = use.node, let layer = Self.layer(node, reading: mask, graph, facts)
        else { return nil }
        if layer.form.inputs > 1 { consumers.append((node, place)) }
      }
    }
    guard consumers.count == 1 else { return nil }
    self.group = group
    self.places = places
    consumer = consumers[0].node
    let place = consumers[0].place
    indices = place.indices
    let stays = Set(place.mask.keep)
    kept = place.indices.indices.filter { place.indices[$0].allSatisfy(stays.contains) }
  }

  /// A layer that reads masked channels: one that sums over all of them, or a depthwise one.
  private static func layer(
    _ node: NodeID, reading mask: MaskNode, _ graph: Graph, _ facts: GraphFacts
  ) -> FittableLayer? {
    guard let layer = FittableLayer(node, graph, facts),
      layer.layer.data == graph[mask.node].outputs[0], layer.form.rowLength <= lengthLimit,
      layer.form.inputs == 1
        || layer.form.groups == 1 && layer.form.inputAxes.count == 1
          && layer.layer.dataAxis == mask.axis.index
    else { return nil }
    return layer
  }

  /// Makes the masks keep other channels.
  package func keep(_ channels: [Int], in graph: inout Graph) {
    for place in places {
      let keep = channels.flatMap { place.indices[$0] }.sorted()
      graph.setAttribute(Attribute("keep", keep), of: place.mask.node)
    }
  }
}
