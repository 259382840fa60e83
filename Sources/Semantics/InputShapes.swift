import PrunecGraphIR
import PrunecOperators

/// The extents that a graph's inputs have where its cost is counted, its time measured and its result checked: those
/// that are given, and for axes that the graph leaves open such as it can run with.
///
/// An open extent is 1 for a batch (axis 0), 224 for the other axes of inputs of four axes or more (images), and 128 for
/// those of fewer (sequences), where the operators' rules allow that. Where they do not (a kernel is larger than its
/// input, an axis to be squeezed is not 1), other extents are tried by inference, first one for all axes and then each
/// axis by itself. Extents with one name are the same throughout, as far as what is given allows.
public struct InputShapes: Sendable, Hashable {
  /// For each input of known rank, by name, its extents.
  public let extents: [String: [Int]]
  /// Names of the inputs, in order, of which an axis other than the batch has been decided on here.
  public let decided: [String]
  /// By name of input, the axes that are a batch which has been decided on here: the first one, and those that are
  /// called like the batch of another input (as of a recurrent state `[layers, batch, hidden]`).
  public let openBatches: [String: [Int]]
  /// Why no extents have been found that the graph admits; the nominal ones stand then.
  public let refusal: Diagnostic?
  /// Whether the graph leaves nothing open but batches, and nothing was given: its own facts say all.
  let isPlain: Bool

  /// Decides on the extents of the inputs of `graph` that have none in `given`, which says by name which extents an
  /// input has.
  public init(for graph: Graph, given: [String: [Int]] = [:]) {
    let open = OpenAxes(of: graph, given: given)
    var search = ExtentSearch(graph, open)
    let found = search.run(isGiven: !given.isEmpty)
    extents = open.shapes(found.extents)
    refusal = found.refusal
    decided = open.inputs { !open.isBatch[$0] }
    openBatches = open.axes { open.isBatch[$0] }
    isPlain = decided.isEmpty && given.isEmpty
  }

  /// The extents of `input`, by name, with `batch` for an open batch.
  public func extents(ofInput input: String, batch: Int) -> [Int]? {
    guard var shape = extents[input] else { return nil }
    for axis in openBatches[input] ?? [] { shape[axis] = batch }
    return shape
  }

  /// Whether the MACs of `graph`, the one that the shapes are for, depend on what has been decided on.
  public func decideCost(of graph: Graph) -> Bool {
    guard refusal == nil, let open = try? GraphFacts(of: graph.withInputs(openShapes(of: graph))),
      let sized = try? GraphFacts(of: graph.withInputs(extents))
    else { return true }
    return graph.nodes.contains { id in
      guard let (found, call) = sized.invocation(of: id), found.macs(call) > 0 else { return false }
      let values = (graph[id].inputs + graph[id].outputs).compactMap { $0 }
      return values.contains { open[$0].fixedShape == nil }
    }
  }

  /// The shapes of the inputs, by name, with what has been decided on open but for batches.
  private func openShapes(of graph: Graph) -> [String: [Dimension]] {
    var shapes: [String: [Dimension]] = [:]
    for input in graph.inputs {
      let name = graph[input].name
      guard let shape = graph[input].tensorType?.shape, let extents = extents[name],
        shape.count == extents.count
      else { continue }
      shapes[name] = zip(shape, extents).enumerated().map { axis, pair in
        decided.contains(name) && openBatches[name]?.contains(axis) != true
          ? pair.0 : .fixed(pair.1)
      }
    }
    return shapes
  }

  /// Throws a usage error where `given` names no input of `graph`, or extents that an input does not have.
  public static func validate(_ given: [String: [Int]], for graph: Graph) throws(CompileError) {
    let inputs = Dictionary(
      graph.inputs.map { (graph[$0].name, graph[$0]) }, uniquingKeysWith: { first, _ in first })
    for (name, extents) in given.sorted(by: { $0.key < $1.key }) {
      guard let input = inputs[name] else {
        let names = graph.inputs.map { graph[$0].name }.joined(separator: ", ")
        throw CompileError(.usage, "the model has no input '\(name)'; its inputs are \(names)")
      }
      guard let shape = input.tensorType?.shape else { continue }
      let fits =
        shape.count == extents.count
        && zip(shape, extents).allSatisfy { $0.fixedExtent ?? $1 == $1 }
      guard fits else {
        let declared = shape.map(\.text).joined(separator: ", ")
        throw CompileError(
          .usage, "a shape of \(extents) does not fit what the model declares: [\(declared)]",
          at: .value(name))
      }
    }
  }
}

extension Graph {
  fileprivate func withInputs(_ extents: [String: [Int]]) -> Graph {
    withInputs(extents.mapValues { $0.map { Dimension.fixed($0) } })
  }

  /// The graph with other extents for its inputs, by name.
  fileprivate func withInputs(_ shapes: [String: [Dimension]]) -> Graph {
    var graph = self
    for input in inputs {
      guard var type = self[input].tensorType, let shape = shapes[self[input].name] else {
        continue
      }
      type.shape = shape
      graph.setType(of: input, to: ValueType(.tensor(type)))
    }
    return graph
  }
}

extension GraphFacts {
  /// The facts of `graph` where its inputs have those extents, and 1 for 0, with which nothing could be counted: `facts`,
  /// the graph's own, where they say the same, or the graph does not admit them.
  public static func sized(
    _ graph: Graph, _ facts: GraphFacts, by shapes: InputShapes
  ) -> GraphFacts {
    guard !shapes.isPlain else { return facts }
    let extents = shapes.extents.mapValues { $0.map { max(1, $0) } }
    return (try? GraphFacts(of: graph.withInputs(extents))) ?? facts
  }
}

/// The axes whose extents are to be decided on, those of one name taken together.
private struct OpenAxes {
  private enum Extent {
    case fixed(Int)
    case open(Int)
  }

  /// By index of the open axis.
  private(set) var nominal: [Int] = []
  private(set) var isBatch: [Bool] = []
  private var shapes: [(input: String, extents: [Extent])] = []

  init(of graph: Graph, given: [String: [Int]]) {
    var known: [String: Extent] = [:]
    for input in graph.inputs {
      guard let shape = graph[input].tensorType?.shape, let extents = given[graph[input].name],
        extents.count == shape.count
      else { continue }
      for (dimension, extent) in zip(shape, extents) {
        if let name = dimension.name, known[name] == nil { known[name] = .fixed(extent) }
      }
    }
    for input in graph.inputs {
      let name = graph[input].name
      if let extents = given[name] {
        shapes.append((name, extents.map { .fixed($0) }))
        continue
      }
      guard let shape = graph[input].tensorType?.shape else { continue }
      // A name for the batch and for another axis of the same images is what some exporters write for anything.
      let batch = shape.count < 4 ? nil : shape[0].name
      let isTelling = batch == nil || !shape.dropFirst().contains { $0.name == batch }
      let extents = shape.indices.map { axis -> Extent in
        if let fixed = shape[axis].fixedExtent { return .fixed(fixed) }
        if isTelling, let name = shape[axis].name, let extent = known[name] { return extent }
        let extent = Extent.open(nominal.count)
        nominal.append(axis == 0 ? 1 : (shape.count >= 4 ? 224 : 128))
        isBatch.append(axis == 0)
        if isTelling, let name = shape[axis].name { known[name] = extent }
        return extent
      }
      shapes.append((name, extents))
    }
  }

  /// The shapes of the inputs, by name, where the open axes have `extents`.
  func shapes(_ extents: [Int]) -> [String: [Int]] {
    var result: [String: [Int]] = [:]
    for (input, shape) in shapes {
      result[input] = shape.map { extent in
        switch extent {
        case .fixed(let extent): extent
        case .open(let index): extents[index]
        }
      }
    }
    return result
  }

  /// By name of input, the open axes which `condition` holds for.
  func axes(where condition: (Int) -> Bool) -> [String: [Int]] {
    var axes: [String: [Int]] = [:]
    for (input, extents) in shapes {
      let found = extents.indices.filter {
        if case .open(let index) = extents[$0] { condition(index) } else { false }
      }
      if !found.isEmpty { axes[input] = found }
    }
    return axes
  }

  /// Names of the inputs that have an open axis which `condition` holds for.
  func inputs(where condition: (Int) -> Bool) -> [String] {
    shapes.filter { shape in
      shape.extents.contains { if case .open(let index) = $0 { condition(index) } else { false } }
    }.map(\.input)
  }
}

extension Dimension {
  fileprivate var name: String? {
    if case .symbol(let name) = extent { name } else { nil }
  }

  fileprivate var text: String {
    switch extent {
    case .fixed(let extent): "\(extent)"
    case .symbol(let name): name
    case .unknown: "?"
    }
  }
}

/// Looks for extents that every operator's rules hold with, as far as inference can tell.
private struct ExtentSearch {
  /// Extents that models are made for: of images, sequences, clips of sound, channels.
  private static let candidates = [
    256, 512, 32, 48, 64, 96, 16, 160, 192, 299, 320, 384, 640, 1024, 4096, 16000, 77, 28, 8, 4, 3,
    2, 1,
  ]
  /// Nodes that inference may look at in all; every graph gets some attempts.
  private static let nodeLimit = 40_000

  private let graph: Graph
  private let open: OpenAxes
  /// The nodes in order of execution, as diagnostics speak of them.
  private lazy var places = Dictionary(
    graph.nodes.enumerated().map { (graph.location(of: $0.element), $0.offset) },
    uniquingKeysWith: { first, _ in first })
  private var attempts = 0
  private let attemptLimit: Int

  init(_ graph: Graph, _ open: OpenAxes) {
    self.graph = graph
    self.open = open
    attemptLimit = min(200, max(Self.candidates.count, Self.nodeLimit / max(1, graph.nodeCount)))
  }

  /// How far inference gets: the place of the node that refuses, and why.
  private struct Refusal {
    let place: Int
    let reason: Diagnostic
  }

  private mutating func refusal(_ extents: [Int]) -> Refusal? {
    attempts += 1
    do throws(CompileError) {
      _ = try GraphFacts(of: graph.withInputs(open.shapes(extents)))
      return nil
    } catch {
      let reason = error.diagnostics[0]
      return Refusal(place: reason.location.flatMap { places[$0] } ?? 0, reason: reason)
    }
  }

  mutating func run(isGiven: Bool) -> (extents: [Int], refusal: Diagnostic?) {
    let isOpen = open.isBatch.contains(false)
    guard isOpen || isGiven, let first = refusal(open.nominal) else { return (open.nominal, nil) }
    var (best, reached) = (open.nominal, first.place)
    for extent in Self.candidates {
      let extents = zip(open.nominal, open.isBatch).map { $1 ? $0 : extent }
      guard let refused = refusal(extents) else { return (nearNominal(extents), nil) }
      if refused.place > reached { (best, reached) = (extents, refused.place) }
    }
    // What lets inference get further is kept.
    var isBetter = true
    while isBetter {
      isBetter = false
      for axis in best.indices {
        for extent in [2 * best[axis]] + Self.candidates where attempts < attemptLimit {
          var extents = best
          extents[axis] = extent
          guard let refused = refusal(extents) else { return (nearNominal(extents), nil) }
          guard refused.place > reached else { continue }
          (best, reached, isBetter) = (extents, refused.place, true)
        }
      }
    }
    return (open.nominal, first.reason)
  }

  /// The extents with those nominal that need not be others.
  private mutating func nearNominal(_ found: [Int]) -> [Int] {
    var extents = found
    for axis in extents.indices where extents[axis] != open.nominal[axis] {
      var nominal = extents
      nominal[axis] = open.nominal[axis]
      if refusal(nominal) == nil { extents = nominal }
    }
    return extents
  }
}
