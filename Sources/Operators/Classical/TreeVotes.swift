import PrunecGraphIR
import PrunecTensors

/// The trees of a TreeEnsembleClassifier or TreeEnsembleRegressor, and the votes of their leaves.
struct TreeVotes {
  private enum Mode: String {
    case lessOrEqual = "BRANCH_LEQ"
    case less = "BRANCH_LT"
    case greaterOrEqual = "BRANCH_GTE"
    case greater = "BRANCH_GT"
    case equal = "BRANCH_EQ"
    case notEqual = "BRANCH_NEQ"
    case leaf = "LEAF"

    func holds(_ element: Double, _ threshold: Double) -> Bool {
      switch self {
      case .lessOrEqual: element <= threshold
      case .less: element < threshold
      case .greaterOrEqual: element >= threshold
      case .greater: element > threshold
      case .equal: element == threshold
      case .notEqual: element != threshold
      case .leaf: false
      }
    }
  }

  private struct Node {
    let mode: Mode
    let feature: Int
    let threshold: Double
    /// Whether what is no number counts as held.
    let holdsWithoutNumber: Bool
    var held, otherwise: Int
    var votes: [(id: Int, weight: Double)] = []
  }

  private struct Name: Hashable { let tree, node: Int }

  private var nodes: [Node] = []
  /// The first node of each tree.
  private var roots: [Int] = []
  /// The ids that leaves vote for, and whether no weight is negative.
  private(set) var ids: Set<Int> = []
  private(set) var areNonnegative = true

  var treeCount: Int { roots.count }

  /// The trees that a node's attributes list, with the votes of those that begin with `votes` for `count` ids.
  init(_ call: Invocation, votes prefix: String, count: Int) throws(CompileError) {
    let trees = try call.list("nodes_treeids")
    let names = zip(trees, try call.list("nodes_nodeids")).map { Name(tree: $0, node: $1) }
    let places = Dictionary(zip(names, names.indices)) { first, _ in first }
    let (features, values) = (
      try call.list("nodes_featureids"), try call.numbers("nodes_values")
    )
    let (held, otherwise) = (
      try call.list("nodes_truenodeids"), try call.list("nodes_falsenodeids")
    )
    let tracks = call.ints("nodes_missing_value_tracks_true") ?? []
    guard
      case .strings(let modes)? = call.attributes.first(where: { $0.name == "nodes_modes" })?.value,
      [trees.count, features.count, values.count, held.count, otherwise.count].allSatisfy({
        $0 == modes.count
      }), names.count == modes.count
    else { throw call.malformed("the lists of nodes are not of equal length") }
    for (index, name) in names.enumerated() {
      guard let mode = Mode(rawValue: String(decoding: modes[index], as: UTF8.self)) else {
        throw call.unsupported("a mode of nodes is not known")
      }
      let next = [held[index], otherwise[index]].map { places[Name(tree: name.tree, node: $0)] }
      guard mode == .leaf || !next.contains(nil), features[index] >= 0 else {
        throw call.malformed("a node of a tree is missing")
      }
      nodes.append(
        Node(
          mode: mode, feature: features[index], threshold: values[index],
          holdsWithoutNumber: index < tracks.count && tracks[index] != 0, held: next[0] ?? 0,
          otherwise: next[1] ?? 0))
      if !names[..<index].contains(where: { $0.tree == name.tree }) { roots.append(index) }
    }
    let (voters, voted) = (
      zip(try call.list(prefix + "_treeids"), try call.list(prefix + "_nodeids")),
      zip(try call.list(prefix + "_ids"), try call.numbers(prefix + "_weights"))
    )
    for (voter, (id, weight)) in zip(voters, voted) {
      guard let place = places[Name(tree: voter.0, node: voter.1)], (0..<count).contains(id) else {
        throw call.malformed("a vote is of no leaf, or for nothing")
      }
      nodes[place].votes.append((id, weight))
      ids.insert(id)
      areNonnegative = areNonnegative && weight >= 0
    }
  }

  /// The votes for one sample, those of each tree together.
  func callAsFunction(
    _ row: ArraySlice<Double>, _ call: Invocation
  ) throws(CompileError) -> [(id: Int, weight: Double)] {
    var votes: [(id: Int, weight: Double)] = []
    for root in roots {
      var (place, steps) = (root, 0)
      while nodes[place].mode != .leaf {
        let node = nodes[place]
        guard node.feature < row.count, steps < nodes.count else {
          throw call.malformed("a tree asks for a feature that is not there, or has no leaf")
        }
        let element = row[row.startIndex + node.feature]
        let holds =
          node.mode.holds(element, node.threshold) || node.holdsWithoutNumber && element.isNaN
        place = holds ? node.held : node.otherwise
        steps += 1
      }
      votes += nodes[place].votes
    }
    return votes
  }
}

extension Invocation {
  /// A list of integers that has to be there.
  fileprivate func list(_ name: String) throws(CompileError) -> [Int] {
    guard let list = try optionalInts(name) else { throw malformed("there are no '\(name)'") }
    return list
  }

  /// A list of numbers, which may also be a tensor.
  func numbers(_ name: String) throws(CompileError) -> [Double] {
    if let tensor = tensor(name + "_as_tensor"), tensor.hasData { return tensor.doubles }
    guard let floats = floats(name) else { throw malformed("there are no '\(name)'") }
    return floats.map(Double.init)
  }
}
