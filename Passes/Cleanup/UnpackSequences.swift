import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics
import PrunecTensors

/// Hands on tensors themselves where a graph puts them into a sequence and takes them out again.
///
///     s = SplitToSequence(x, [2, 3])
///     a = SequenceAt(s, 0)                =>   a, b = Split(x, [2, 3])
///     b = SequenceAt(s, 1)
///
///     s = SequenceConstruct(a, b)
///     y = ConcatFromSequence(s)           =>   y = Concat(a, b)
///
/// So exporters write whatever a program does with lists of tensors. What else uses a sequence
/// still finds it.
///
/// Legal where
/// 1. SequenceConstruct, SequenceEmpty or SplitToSequence begins the sequence; SequenceInsert and
///    SequenceErase, if anything, go on with it;
/// 2. positions are constant and in range;
/// 3. the sizes of a split are constant and positive and do not contradict the extent of the axis;
///    where they are not a list, that extent is known; and a split with sizes keeps the axis: what
///    it means to ask otherwise, onnxruntime reads differently from the standard;
/// 4. a sequence has no more than 512 tensors, and one that is joined at least one.
package struct UnpackSequences: Pass {
  package static let name = "unpack-sequences"
  package static let summary = "hand on tensors themselves instead of sequences of them"
  package static let effect = Effect.preserving(tolerance: 0)

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let nodes = graph.nodes.filter { graph[$0].operation.type.contains("Sequence") }
    guard !nodes.isEmpty, graph.opsetVersion(of: "") ?? 0 >= 11 else { return }
    var unpacking = Unpacking(facts: try context.facts(of: graph))
    unpacking.run(nodes, &graph)
  }
}

/// One run of the pass.
private struct Unpacking {
  private static let elementLimit = 512
  /// Since when Split, Squeeze and Unsqueeze take as an operand what was an attribute.
  private static let operandOpset = 13

  /// A tensor of a sequence: a value, or the part of a split at a place.
  private enum Element {
    case value(ValueID)
    case part(NodeID, Int)
  }

  private struct Split {
    let axis: Int
    let sizes: [Int]
    /// Whether the axis goes.
    let isSqueezed: Bool
  }

  private var splits: [NodeID: Split] = [:]
  /// The tensors that a split has become.
  private var parts: [NodeID: [ValueID]] = [:]
  /// The elements of every sequence, as far as they are known.
  private var sequences: [ValueID: [Element]] = [:]

  /// What was known when the pass began.
  private let facts: GraphFacts

  init(facts: GraphFacts) { self.facts = facts }

  /// Looks at `nodes`, which are all that sequences go through, in order of execution.
  mutating func run(_ nodes: [NodeID], _ graph: inout Graph) {
    var makers: [NodeID] = []
    var hasChanged = false
    for id in nodes {
      let node = graph[id]
      guard node.operation.domain.isEmpty, node.outputs.count == 1, let result = node.outputs[0]
      else { continue }
      if let elements = elements(id, graph), elements.count <= Self.elementLimit {
        sequences[result] = elements
        makers.append(id)
      } else if let tensor = tensor(id, &graph) {
        if graph[tensor].type == nil { graph.setType(of: tensor, to: graph[result].type) }
        graph.replaceAllUses(of: result, with: tensor)
        graph.erase(id)
        hasChanged = true
      }
    }
    guard hasChanged else { return }
    for id in makers.reversed() where graph[graph[id].outputs[0]!].uses.isEmpty { graph.erase(id) }
  }

  // MARK: Find

  /// The elements of the sequence that a node makes; `nil` where it makes none, or they are not
  /// known.
  private mutating func elements(_ id: NodeID, _ graph: Graph) -> [Element]? {
    let node = graph[id]
    func known(_ index: Int) -> [Element]? {
      index < node.inputs.count ? node.inputs[index].flatMap { sequences[$0] } : nil
    }
    switch node.operation.type {
    case "SequenceEmpty": return []
    case "SequenceConstruct":
      let values = node.inputs.compactMap { $0 }
      return values.count == node.inputs.count ? values.map(Element.value) : nil
    case "SplitToSequence":
      guard let split = split(node) else { return nil }
      splits[id] = split
      return split.sizes.indices.map { .part(id, $0) }
    case "SequenceInsert":
      guard var elements = known(0), node.inputs.count >= 2, let value = node.inputs[1],
        let place = position(2, of: node, in: elements.count + 1)
      else { return nil }
      elements.insert(.value(value), at: place)
      return elements
    case "SequenceErase":
      guard var elements = known(0), let place = position(1, of: node, in: elements.count)
      else { return nil }
      elements.remove(at: place)
      return elements
    default: return nil
    }
  }

  /// The position, one of `count`, that operand `index` says, the last where it is left out.
  private func position(_ index: Int, of node: Node, in count: Int) -> Int? {
    var position = count - 1
    if index < node.inputs.count, let operand = node.inputs[index] {
      guard let number = constant(operand)?.integers, number.count == 1 else { return nil }
      // What is counted from the back is counted from the last tensor there is.
      let tensors = node.operation.type == "SequenceInsert" ? count - 1 : count
      position = number[0] < 0 ? number[0] &+ tensors : number[0]
    }
    return (0..<count).contains(position) ? position : nil
  }

  /// The constant that a value is, where that is known.
  private func constant(_ id: ValueID) -> Tensor? {
    Int(id.rawValue) < facts.valueCount ? facts[id].constant : nil
  }

  private func split(_ node: Node) -> Split? {
    guard let data = node.inputs.first ?? nil,
      let axis = node.integer("axis", default: 0), let keeps = node.integer("keepdims", default: 1)
    else { return nil }
    var extent: Int?
    if Int(data.rawValue) < facts.valueCount, let extents = facts[data].fixedExtents {
      let place = axis < 0 ? axis &+ extents.count : axis
      guard extents.indices.contains(place) else { return nil }
      extent = extents[place]
    }
    guard node.inputs.count > 1, let operand = node.inputs[1] else {
      return equalSizes(1, of: extent).map { Split(axis: axis, sizes: $0, isSqueezed: keeps == 0) }
    }
    guard keeps != 0, let given = constant(operand) else { return nil }
    let numbers = given.integers
    guard given.rank == 1 else {
      let sizes = numbers.count == 1 ? equalSizes(numbers[0], of: extent) : nil
      return sizes.map { Split(axis: axis, sizes: $0, isSqueezed: false) }
    }
    guard !numbers.isEmpty, numbers.allSatisfy({ (1...Int(Int32.max)).contains($0) }),
      numbers.count <= Self.elementLimit, extent ?? numbers.reduce(0, +) == numbers.reduce(0, +)
    else { return nil }
    return Split(axis: axis, sizes: numbers, isSqueezed: false)
  }

  /// The sizes of parts of `size` each, of which the last may be smaller.
  private func equalSizes(_ size: Int, of extent: Int?) -> [Int]? {
    guard let extent, extent > 0, size > 0, (extent - 1) / size < Self.elementLimit else {
      return nil
    }
    return stride(from: 0, to: extent, by: size).map { min(size, extent - $0) }
  }

  // MARK: Perform

  /// The tensor that a node takes out of a sequence, or joins one into; `nil` where it does
  /// neither, or it is not known which.
  private mutating func tensor(_ id: NodeID, _ graph: inout Graph) -> ValueID? {
    let node = graph[id]
    guard let sequence = node.inputs.first ?? nil, let elements = sequences[sequence] else {
      return nil
    }
    switch node.operation.type {
    case "SequenceAt":
      guard node.inputs.count == 2, node.inputs[1] != nil,
        let place = position(1, of: node, in: elements.count)
      else { return nil }
      let value = value(of: elements[place], &graph)
      // The signature would otherwise name a value that has a name there already.
      guard graph[node.outputs[0]!].isGraphOutput else { return value }
      return graph.build(before: id) { $0.add("Identity", [value]) }
    case "ConcatFromSequence":
      guard !elements.isEmpty, let axis = node.integer("axis", default: nil),
        let isNew = node.integer("new_axis", default: 0)
      else { return nil }
      let values = elements.map { value(of: $0, &graph) }
      return graph.build(before: id) { build in
        let parts =
          isNew == 0
          ? values
          : add("Unsqueeze", axis, to: values, prefixes: values.map { _ in "" }, &build)
        return build.add("Concat", parts, [Attribute("axis", axis)])
      }
    default: return nil
    }
  }

  private mutating func value(of element: Element, _ graph: inout Graph) -> ValueID {
    switch element {
    case .value(let value): return value
    case .part(let node, let index):
      let all = parts[node] ?? divide(node, splits[node]!, &graph)
      parts[node] = all
      return all[index]
    }
  }

  /// Builds a Split for the node that splits into a sequence, and gives its parts.
  private func divide(_ id: NodeID, _ split: Split, _ graph: inout Graph) -> [ValueID] {
    let data = graph[id].inputs[0]!
    return graph.build(before: id) { build in
      var inputs = [data]
      var attributes = [Attribute("axis", split.axis)]
      if build.graph.opsetVersion(of: "")! < Self.operandOpset {
        attributes.append(Attribute("split", split.sizes))
      } else {
        inputs.append(build.addConstant(Tensor(split.sizes), "sizes"))
      }
      let parts = build.add("Split", inputs, attributes, resultCount: split.sizes.count)
      guard split.isSqueezed else { return parts }
      return add(
        "Squeeze", split.axis, to: parts, prefixes: parts.indices.map { "\($0)." }, &build)
    }
  }

  /// Builds nodes that take an axis away or add one, one for each of `values`.
  private func add(
    _ type: String, _ axis: Int, to values: [ValueID], prefixes: [String],
    _ build: inout GraphBuilder
  ) -> [ValueID] {
    var operands: [ValueID] = []
    var attributes: [Attribute] = []
    if build.graph.opsetVersion(of: "")! < Self.operandOpset {
      attributes.append(Attribute("axes", [axis]))
    } else {
      operands.append(build.addConstant(Tensor([axis]), "\(prefixes[0])axes"))
    }
    return zip(values, prefixes).map { value, prefix in
      build.add(type, [value] + operands, attributes, suffix: prefix + type)
    }
  }
}

extension Node {
  /// An integer attribute, or `value` where it is left out; `nil` where it is of another kind.
  fileprivate func integer(_ name: String, default value: Int?) -> Int? {
    guard let attribute = attribute(name) else { return value }
    if case .int(let number) = attribute.value { return Int(number) }
    return nil
  }
}
