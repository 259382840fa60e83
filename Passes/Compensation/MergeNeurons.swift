import Foundation
import PrunecCoupling
import PrunecGraphIR
import PrunecLinearAlgebra
import PrunecPassKit
import PrunecSelection
import PrunecSemantics
import PrunecTensors

/// Lets kept channels take over the part of the removed ones.
///
///     h = relu(W x + b)                              h as before
///     y = V mask(h)                             =>   y = V' mask(h),  V'[:, k] = V[:, k] + sum_p a[p, k] V[:, p]
///
/// A removed channel p with a kept twin merges into it (Kim, Kim, Park, Kang: "Neuron Merging:
/// Compensating for Pruned Neurons", NeurIPS 2020, section 3): k is the kept channel with the greatest
/// cosine between rows `[W b]`, if that is at least the threshold, and `a[p, k] = |w_p| / |w_k|`, since then
/// `h_p ~ a h_k`, for a positive factor passes through what is positively homogeneous.
///
/// A channel without a twin is spread over all kept ones (beyond the paper, which drops it): `a[p, :]`
/// is the least-squares solution of `h_p ~ sum_k a[p, k] h_k` for inputs of which nothing is known, standard
/// normal ones. The second moments that it needs are known in closed form: where a Relu lies between
/// the layers, with t the angle of two rows,
///
///     E[h_i h_j] = |w_i| |w_j| (sin t + (pi - t) cos t) / (2 pi)
///
/// (Cho and Saul, "Kernel Methods for Deep Learning", NeurIPS 2009, equation 6, the arc-cosine kernel
/// of degree one), and without one `<w_i, w_j>`. A ridge of a thousandth of their mean keeps the solution
/// in bounds.
///
/// The paper's scale through a batch normalization is `s (g_p / g_k) (sd_k / sd_p)`; here the rows are
/// those of the layer with its normalization folded in, which holds that factor already.
///
/// Legal (worth it: masked and shrunk graph stay equal in any case) where
/// 1. exactly one linear layer makes the group's channels, one row a channel, from constants;
/// 2. every consumer of the channels is an ungrouped linear layer with a constant weight of its own,
///    in single precision and with data;
/// 3. every other node that the channels pass through is a mask, or positively homogeneous and the
///    same for all of them: no constant of its own lies along them.
package struct MergeNeurons: Pass {
  package static let name = "merge-neurons"
  package static let summary = "let kept channels take over for similar removed ones"
  package static let effect = Effect.masking

  /// How the factor between twins is found.
  private enum Scale: String, CaseIterable {
    case norm
    case leastSquares = "least-squares"
  }

  /// What becomes of channels without a twin.
  private enum Rest: String, CaseIterable {
    case spread
    case drop
  }

  private static let threshold = PassOption(
    "threshold", .number(in: -1...1), default: 0.45, valueName: "cosine",
    help: "Least cosine between the rows of twins.")
  private static let scale = PassOption(
    "scale", OptionSyntax<Scale>.choice, default: .norm,
    help: "The factor between twins: the ratio of their norms, or that times their cosine.")
  private static let rest = PassOption(
    "rest", OptionSyntax<Rest>.choice, default: .spread,
    help: "What becomes of channels without a twin: spread over all kept ones, or dropped.")
  package static let options: [any PassOptionDescription] = [
    Self.threshold, Self.scale, Self.rest,
  ]

  private let threshold: Float
  private let scale: Scale
  private let rest: Rest

  package init(options: inout OptionReader) throws(CompileError) {
    threshold = Float(try options.value(Self.threshold))
    scale = try options.value(Self.scale)
    rest = try options.value(Self.rest)
  }

  /// How much of each removed channel each kept one takes over.
  private struct Takeover {
    let removed: [Int]
    let kept: [Int]
    /// `[removed, kept]`, row-major.
    var factors: [Float]
  }

  private struct Plan {
    let takeover: Takeover
    let consumers: [(layer: LinearLayer, member: ChannelGroup.Member)]
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    let coupling = try context.coupling(of: graph)
    let masked = try MaskedChannels(in: graph, facts, coupling)
    let layers = LinearLayer.all(in: graph, facts)
    // All rows are compared before any weight changes: a layer merged into is compared as trained.
    let gatherers = gatherers(of: masked.removed.keys.map { coupling.groups[$0] }, graph, facts)
    let plans = masked.removed.keys.sorted().compactMap { group in
      find(coupling.groups[group], masked.removed[group]!, layers, gatherers, graph, facts)
    }
    for plan in plans { perform(plan, &graph) }
  }

  // MARK: Find

  /// The nodes that sum over the groups' channels or gather them otherwise, by axis.
  private func gatherers(
    of groups: [ChannelGroup], _ graph: Graph, _ facts: GraphFacts
  ) -> [Axis: [NodeID]] {
    var axes: [Axis: [Int]] = [:]
    for group in groups { for member in group.members { axes[member.axis] = [] } }
    return Dictionary(grouping: MaskPlace.all(in: graph, facts, axes), by: \.key.axis)
      .mapValues { $0.map(\.node) }
  }

  private func find(
    _ group: ChannelGroup, _ removed: Set<Int>, _ layers: [LinearLayer],
    _ gatherers: [Axis: [NodeID]], _ graph: Graph, _ facts: GraphFacts
  ) -> Plan? {
    let members = Dictionary(uniqueKeysWithValues: group.members.map { ($0.axis, $0) })
    let makers = layers.filter { members[Axis($0.weight, $0.outputAxis)] != nil }
    guard makers.count == 1, let maker = makers.first,
      let made = members[Axis(maker.weight, maker.outputAxis)], made.multiplicity == 1
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
      let between = homogeneousNodes(members, maker, users, gatherers, graph, facts),
      let takeover = takeover(
        maker, rows: made.indices.map(Int.init), removed,
        isRectified: between.contains { graph[$0].operation == OperationName("Relu") }, graph)
    else { return nil }
    return Plan(takeover: takeover, consumers: consumers)
  }

  /// The nodes between the maker and its users, masks apart; `nil` if one is not homogeneous.
  private func homogeneousNodes(
    _ members: [Axis: ChannelGroup.Member], _ maker: LinearLayer, _ users: [LinearLayer],
    _ gatherers: [Axis: [NodeID]], _ graph: Graph, _ facts: GraphFacts
  ) -> [NodeID]? {
    let values = Set(members.keys.map(\.value)).filter { graph[$0].definingNode != nil }
    let ends = Set(users.map(\.node))
    // A sum over the channels is homogeneous too, but consumes them.
    guard members.keys.allSatisfy({ gatherers[$0, default: []].allSatisfy(ends.contains) }) else {
      return nil
    }
    var visited: Set<NodeID> = []
    for value in values.sorted() {
      for use in graph[value].uses {
        guard let node = use.node else { return nil }
        if ends.contains(node) || graph[node].operation.isMask || !visited.insert(node).inserted {
          continue
        }
        guard Homogeneity.holds(for: node, graph, facts) else { return nil }
      }
      // Channels made by anything but the maker and what follows from it cannot be scaled.
      let inputs = graph[graph[value].definingNode!].inputs.compactMap { $0 }
      guard graph[value].definingNode == maker.node || inputs.contains(where: values.contains)
      else {
        return nil
      }
    }
    return visited.sorted()
  }

  /// `channels` are the maker's rows that are the group's channels, in order.
  private func takeover(
    _ maker: LinearLayer, rows channels: [Int], _ removed: Set<Int>, isRectified: Bool,
    _ graph: Graph
  ) -> Takeover? {
    guard var weight = graph[maker.weight].constant, weight.hasData else { return nil }
    var bias = maker.bias.flatMap { graph[$0].constant }
    if channels != Array(0..<weight.shape[maker.outputAxis]) {
      weight = weight.keeping(channels, alongAxis: maker.outputAxis)
      bias = bias?.keeping(channels, alongAxis: 0)
    }
    let rows = RowMatrix(weight, axis: maker.outputAxis, bias: bias)
    let gram = rows.gram
    let norms = (0..<rows.rows).map { gram[$0 * rows.rows + $0].squareRoot() }
    // A row of zeros, or one that is not finite, is no help to any other.
    let kept = (0..<rows.rows).filter {
      !removed.contains($0) && norms[$0] > 0 && norms[$0].isFinite
    }
    let gone = removed.sorted().filter { norms[$0] > 0 && norms[$0].isFinite }
    guard !kept.isEmpty, !gone.isEmpty else { return nil }

    var takeover = Takeover(
      removed: gone, kept: kept, factors: [Float](repeating: 0, count: gone.count * kept.count))
    var single: [Int] = []
    for (index, p) in gone.enumerated() {
      var best = (position: 0, cosine: -Float.infinity)
      for (position, k) in kept.enumerated() {
        let cosine = gram[p * rows.rows + k] / (norms[p] * norms[k])
        if cosine > best.cosine { best = (position, cosine) }
      }
      guard best.cosine >= threshold else {
        single.append(index)
        continue
      }
      let ratio = norms[p] / norms[kept[best.position]]
      takeover.factors[index * kept.count + best.position] =
        scale == .norm ? ratio : ratio * best.cosine
    }
    if rest == .spread, !single.isEmpty {
      let moments = SecondMoments(gram: gram, norms: norms, isRectified: isRectified)
      spread(single, &takeover, moments)
    }
    return takeover.factors.contains { $0 != 0 } ? takeover : nil
  }

  private static let ridge = 1e-3

  /// Fills the factors of the removed channels at the places `single` by least squares.
  private func spread(_ single: [Int], _ takeover: inout Takeover, _ moments: SecondMoments) {
    let kept = takeover.kept
    let mean = kept.reduce(0) { $0 + moments[$1, $1] } / Double(kept.count)
    var matrix: [Double] = []
    for (row, i) in kept.enumerated() {
      for (column, j) in kept.enumerated() {
        matrix.append(moments[i, j] + (row == column ? Self.ridge * mean : 0))
      }
    }
    let sides = single.flatMap { index in kept.map { moments[takeover.removed[index], $0] } }
    guard
      let solution = LinearAlgebra.solve(matrix, sides, n: kept.count, count: single.count)
    else { return }
    for (row, index) in single.enumerated() {
      for column in kept.indices {
        takeover.factors[index * kept.count + column] = Float(solution[row * kept.count + column])
      }
    }
  }

  /// `E[h_i h_j]` for standard normal inputs.
  private struct SecondMoments {
    let gram: [Float]
    let norms: [Float]
    let isRectified: Bool

    subscript(i: Int, j: Int) -> Double {
      let product = Double(gram[i * norms.count + j])
      guard isRectified else { return product }
      let scale = Double(norms[i]) * Double(norms[j])
      let cosine = scale > 0 ? min(1, max(-1, product / scale)) : 0
      let angle = acos(cosine)
      return scale * (sin(angle) + (.pi - angle) * cosine) / (2 * .pi)
    }
  }

  // MARK: Perform

  private func perform(_ plan: Plan, _ graph: inout Graph) {
    let (removed, kept) = (plan.takeover.removed, plan.takeover.kept)
    for (layer, member) in plan.consumers {
      let axis = layer.inputAxis!
      graph.withTensor(of: layer.weight) { weight in
        for position in 0..<member.multiplicity {
          func index(_ channel: Int) -> Int {
            Int(member.indices(ofChannel: channel)[channel * member.multiplicity + position])
          }
          let columns = weight.columns(removed.map(index), alongAxis: axis)
          let added = LinearAlgebra.product(
            columns, plan.takeover.factors, m: columns.count / removed.count, k: removed.count,
            n: kept.count)
          weight.add(added, toColumns: kept.map(index), alongAxis: axis)
        }
      }
    }
  }
}

extension Tensor {
  /// The elements at `indices` of the axis, one row of them for each position of the other axes.
  fileprivate func columns(_ indices: [Int], alongAxis axis: Int) -> [Float] {
    let (outer, extent, inner) = blocks(axis)
    var result = [Float](repeating: 0, count: outer * inner * indices.count)
    withElements(as: Float.self) { elements in
      for block in 0..<outer {
        for (column, index) in indices.enumerated() {
          let source = (block * extent + index) * inner
          for offset in 0..<inner {
            result[(block * inner + offset) * indices.count + column] = elements[source + offset]
          }
        }
      }
    }
    return result
  }

  /// Adds rows as `columns` gives them.
  fileprivate mutating func add(_ rows: [Float], toColumns indices: [Int], alongAxis axis: Int) {
    let (outer, extent, inner) = blocks(axis)
    withMutableElements(as: Float.self) { elements in
      for block in 0..<outer {
        for (column, index) in indices.enumerated() {
          let target = (block * extent + index) * inner
          for offset in 0..<inner {
            elements[target + offset] += rows[(block * inner + offset) * indices.count + column]
          }
        }
      }
    }
  }

  private func blocks(_ axis: Int) -> (outer: Int, extent: Int, inner: Int) {
    (shape[..<axis].reduce(1, *), shape[axis], shape[(axis + 1)...].reduce(1, *))
  }
}
