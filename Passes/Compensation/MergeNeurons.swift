import PassKit

/// Lets kept channels take over the part of the removed ones that are like them (Kim, Kim, Park, Kang:
/// "Neuron Merging: Compensating for Pruned Neurons", NeurIPS 2020, section 3).
///
///     h = relu(W x + b)                              h as before
///     y = V mask(h)                             =>   y = V' mask(h),  V'[:, k] = V[:, k] + s V[:, p]
///
/// For a removed channel p, k is the kept one with the greatest cosine between rows `[W b]`, if that
/// is at least the threshold; then `h_p ~ s h_k`, for a positive s passes through everything between
/// the layers that is positively homogeneous.
///
/// Two scales are possible. The paper's is the ratio of norms `s = |w_p| / |w_k|`, which is exact for
/// parallel rows and too large for others; least squares, `s = <w_p, w_k> / |w_k|^2`, is the ratio times
/// the cosine. The rows are those of the layer with its batch normalization folded in, so that the
/// scale through the normalization, `s (g_p / g_k) (sd_k / sd_p)`, is already in them.
///
/// Legal (worth it: masked and shrunk graph stay equal in any case) where
/// 1. exactly one linear layer makes the group's channels, one row a channel, from constants;
/// 2. every consumer of the channels is an ungrouped linear layer with a constant weight of its own,
///    in single precision and with data;
/// 3. every other node that the channels pass through is a mask, or positively homogeneous and the
///    same for all of them: no constant of its own lies along them.
///
/// Options: `threshold` (cosine, default 0.45), `scale` (norm, least-squares; default least-squares).
public struct MergeNeurons: Pass {
  public static let name = "merge-neurons"
  public static let summary = "let kept channels take over for similar removed ones"
  public static let effect = Effect.masking

  /// How the factor between two rows is found.
  private enum Scale: String, CaseIterable {
    case norm
    case leastSquares = "least-squares"
  }

  private let threshold: Float
  private let scale: Scale

  public init(options: inout OptionReader) throws(CompileError) {
    threshold = Float(try options.double("threshold", in: -1...1) ?? 0.45)
    scale = try options.choice("scale", Scale.self) ?? .leastSquares
  }

  private struct Merge {
    let removed: Int
    let kept: Int
    let factor: Float
  }

  private struct Plan {
    let merges: [Merge]
    let consumers: [(layer: LinearLayer, member: ChannelGroup.Member)]
  }

  public func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    let coupling = try context.coupling(of: graph)
    let masked = try MaskedChannels(in: graph, facts, coupling)
    let layers = LinearLayer.all(in: graph, facts)
    // All rows are compared before any weight changes: a layer merged into is compared as trained.
    let plans = masked.removed.keys.sorted().compactMap { group in
      find(coupling.groups[group], masked.removed[group]!, layers, graph, facts)
    }
    for plan in plans { perform(plan, &graph) }
  }

  // MARK: Find

  private func find(
    _ group: ChannelGroup, _ removed: Set<Int>, _ layers: [LinearLayer], _ graph: Graph,
    _ facts: GraphFacts
  ) -> Plan? {
    let members = Dictionary(uniqueKeysWithValues: group.members.map { ($0.axis, $0) })
    let makers = layers.filter { members[Axis($0.weight, $0.outputAxis)] != nil }
    guard makers.count == 1, let maker = makers.first,
      members[Axis(maker.weight, maker.outputAxis)]!.multiplicity == 1
    else { return nil }
    let users = layers.filter { members[Axis($0.data, $0.dataAxis)] != nil }
    var consumers: [(layer: LinearLayer, member: ChannelGroup.Member)] = []
    for user in users {
      guard let inputAxis = user.inputAxis, let member = members[Axis(user.weight, inputAxis)],
        graph[user.weight].uses.count == 1, let weight = graph[user.weight].constant,
        weight.elementType == .float32, weight.hasData
      else { return nil }
      consumers.append((user, member))
    }
    let weights =
      [maker.weight] + consumers.map { $0.layer.weight } + (maker.bias.map { [$0] } ?? [])
    guard !consumers.isEmpty,
      members.keys.allSatisfy({ graph[$0.value].constant == nil || weights.contains($0.value) }),
      passesThroughHomogeneousNodes(members, maker, users, graph, facts)
    else { return nil }
    let merges = self.merges(maker, removed, graph)
    return merges.isEmpty ? nil : Plan(merges: merges, consumers: consumers)
  }

  private func passesThroughHomogeneousNodes(
    _ members: [Axis: ChannelGroup.Member], _ maker: LinearLayer, _ users: [LinearLayer],
    _ graph: Graph, _ facts: GraphFacts
  ) -> Bool {
    let values = Set(members.keys.map(\.value)).filter { graph[$0].definingNode != nil }
    let ends = Set(users.map(\.node))
    // A sum over the channels is homogeneous too, but consumes them.
    let kept = Dictionary(uniqueKeysWithValues: members.keys.map { ($0, [Int]()) })
    guard MaskPlace.all(in: graph, facts, kept).allSatisfy({ ends.contains($0.node) }) else {
      return false
    }
    var visited: Set<NodeID> = []
    for value in values.sorted() {
      for use in graph[value].uses {
        guard let node = use.node else { return false }
        if ends.contains(node) || graph[node].operation.isMask || !visited.insert(node).inserted {
          continue
        }
        guard Homogeneity.holds(for: node, graph, facts) else { return false }
      }
      // Channels made by anything but the maker and what follows from it cannot be scaled.
      let inputs = graph[graph[value].definingNode!].inputs.compactMap { $0 }
      guard graph[value].definingNode == maker.node || inputs.contains(where: values.contains)
      else {
        return false
      }
    }
    return true
  }

  private func merges(_ maker: LinearLayer, _ removed: Set<Int>, _ graph: Graph) -> [Merge] {
    guard let weight = graph[maker.weight].constant, weight.hasData else { return [] }
    let rows = RowMatrix(
      weight, axis: maker.outputAxis, bias: maker.bias.flatMap { graph[$0].constant })
    let norms = rows.norms
    let kept = (0..<rows.rows).filter { !removed.contains($0) && norms[$0] > 0 }
    return removed.sorted().compactMap { p in
      guard norms[p] > 0 else { return nil }
      var best: (row: Int, cosine: Float)?
      for k in kept {
        let cosine = rows.product(p, k) / (norms[p] * norms[k])
        if cosine > best?.cosine ?? -.infinity { best = (k, cosine) }
      }
      guard let best, best.cosine >= threshold else { return nil }
      let ratio = norms[p] / norms[best.row]
      return Merge(
        removed: p, kept: best.row, factor: scale == .norm ? ratio : ratio * best.cosine)
    }
  }

  // MARK: Perform

  private func perform(_ plan: Plan, _ graph: inout Graph) {
    for (layer, member) in plan.consumers {
      let axis = layer.inputAxis!
      graph.withTensor(of: layer.weight) { weight in
        let extent = weight.shape[axis]
        let inner = weight.shape[(axis + 1)...].reduce(1, *)
        let outer = weight.shape[..<axis].reduce(1, *)
        weight.withMutableElements(as: Float.self) { elements in
          for merge in plan.merges {
            let pairs = zip(
              member.indices(ofChannel: merge.removed), member.indices(ofChannel: merge.kept))
            for (from, to) in pairs {
              for block in 0..<outer {
                let source = (block * extent + Int(from)) * inner
                let target = (block * extent + Int(to)) * inner
                for offset in 0..<inner {
                  elements[target + offset] += merge.factor * elements[source + offset]
                }
              }
            }
          }
        }
      }
    }
  }
}
