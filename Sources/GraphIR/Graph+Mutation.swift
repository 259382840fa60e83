import PrunecTensors

/// Where a new node goes in the order of execution.
public enum InsertionPoint: Sendable {
  case atEnd
  case before(NodeID)
  case after(NodeID)
}

extension Graph {
  // MARK: Names

  /// Marks a name as taken though no value of this graph bears it (subgraphs share the name space).
  public mutating func reserve(name: String) { takenNames.insert(name) }

  /// Whether a value bears the name or it has been reserved.
  public func isTaken(name: String) -> Bool { takenNames.contains(name) }

  /// `stem`, or `stem` followed by the first number that makes it a new name.
  public mutating func uniqueName(_ stem: String) -> String {
    guard takenNames.contains(stem) else { return stem }
    // Names stay taken.
    var number = nextNumbers[stem, default: 1]
    while takenNames.contains("\(stem)_\(number)") { number += 1 }
    nextNumbers[stem] = number
    return "\(stem)_\(number)"
  }

  private mutating func addValue(
    name: String, type: ValueType?, definition: Definition
  ) -> ValueID {
    let inserted = takenNames.insert(name).inserted
    precondition(inserted, "value name '\(name)' is taken")
    valueSlots.append(Value(name: name, type: type, definition: definition))
    advanceRevision()
    return ValueID(valueSlots.count - 1)
  }

  // MARK: Signature and constants

  /// Appends a graph input. `name` must be new.
  @discardableResult
  public mutating func addInput(name: String, type: ValueType?) -> ValueID {
    let id = addValue(name: name, type: type, definition: .input(inputs.count))
    inputs.append(id)
    return id
  }

  /// Of a subgraph: appends a value taken from the surrounding graph.
  @discardableResult
  public mutating func addCapture(name: String, type: ValueType?) -> ValueID {
    let id = addValue(name: name, type: type, definition: .captured(captures.count))
    captures.append(id)
    return id
  }

  /// Appends a constant. `name` must be new; its type is the tensor's.
  @discardableResult
  public mutating func addInitializer(name: String, _ tensor: Tensor) -> ValueID {
    let type = ValueType(.tensor(TensorType(tensor.elementType, fixed: tensor.shape)))
    let id = addValue(name: name, type: type, definition: .initializer(tensor))
    initializers.append(id)
    return id
  }

  /// Appends a graph output.
  public mutating func addOutput(
    name: String, _ value: ValueID, declaredType: ValueType? = nil, annotations: Annotations = .none
  ) {
    outputs.append(
      Output(name: name, value: value, annotations: annotations, declaredType: declaredType))
    takenNames.insert(name)
    valueSlots[value.index]!.uses.append(.graphOutput(outputs.count - 1))
    advanceRevision()
  }

  /// Replaces the elements of an initializer, and its type with them.
  public mutating func setTensor(of id: ValueID, to tensor: Tensor) {
    guard case .initializer = self[id].definition else { preconditionFailure("no initializer") }
    valueSlots[id.index]!.definition = .initializer(tensor)
    valueSlots[id.index]!.type = ValueType(
      .tensor(TensorType(tensor.elementType, fixed: tensor.shape)))
    valueSlots[id.index]!.declaredInputType = nil
    advanceRevision()
  }

  /// Changes an initializer's elements in place, without copying where nobody shares them.
  public mutating func withTensor<R>(of id: ValueID, _ body: (inout Tensor) throws -> R) rethrows
    -> R
  {
    guard case .initializer(var tensor) = valueSlots[id.index]!.definition else {
      preconditionFailure("no initializer")
    }
    valueSlots[id.index]!.definition = .initializer(Tensor(absent: .bool, shape: []))
    defer {
      valueSlots[id.index]!.definition = .initializer(tensor)
      advanceRevision()
    }
    return try body(&tensor)
  }

  /// Removes a constant that nothing uses.
  public mutating func eraseInitializer(_ id: ValueID) {
    precondition(self[id].uses.isEmpty, "initializer '\(self[id].name)' is still used")
    initializers.removeAll { $0 == id }
    valueSlots[id.index] = nil
    advanceRevision()
  }

  // MARK: Values

  /// Sets a value's type.
  public mutating func setType(of id: ValueID, to type: ValueType?) {
    valueSlots[id.index]!.type = type
    advanceRevision()
  }

  /// Forgets the declared types of all that nodes make.
  public mutating func forgetTypes() {
    for index in valueSlots.indices {
      if case .output? = valueSlots[index]?.definition { valueSlots[index]!.type = nil }
    }
    advanceRevision()
  }

  /// Sets what a value carries for humans and tools.
  public mutating func setAnnotations(of id: ValueID, to annotations: Annotations) {
    valueSlots[id.index]!.annotations = annotations
    advanceRevision()
  }

  /// Says that an initializer comes from an external data file.
  public mutating func setExternalLocation(of id: ValueID, to location: String?) {
    valueSlots[id.index]!.externalLocation = location
    advanceRevision()
  }

  /// Says that an initializer is also listed among the graph's inputs, of type `declaredType` where
  /// that is not the tensor's.
  public mutating func listAsInput(
    _ id: ValueID, declaredType: ValueType? = nil, annotations: Annotations
  ) {
    valueSlots[id.index]!.isListedAsInput = true
    valueSlots[id.index]!.declaredInputType = declaredType
    valueSlots[id.index]!.inputAnnotations = annotations
    advanceRevision()
  }

  /// Says of every initializer that the graph's inputs do not list it, so that no caller replaces it.
  public mutating func unlistInitializers() {
    for id in initializers {
      valueSlots[id.index]!.isListedAsInput = false
      valueSlots[id.index]!.declaredInputType = nil
    }
    advanceRevision()
  }

  /// Sets the declared type of the graph output at `index`.
  public mutating func setDeclaredType(ofOutput index: Int, to type: ValueType?) {
    outputs[index].declaredType = type
    advanceRevision()
  }

  // MARK: Nodes

  /// Inserts a node; its outputs become new values of the given names (`nil` for one left out).
  @discardableResult
  public mutating func insert(
    _ operation: OperationName, name: String, inputs: [ValueID?], captures: [ValueID] = [],
    outputs: [(name: String, type: ValueType?)?], attributes: [Attribute] = [],
    annotations: Annotations = .none, deviceConfigurations: [[UInt8]] = [],
    at point: InsertionPoint
  ) -> NodeID {
    let id = NodeID(nodeSlots.count)
    nodeSlots.append(
      NodeSlot(
        node: Node(
          name: name, operation: operation, inputs: inputs, captures: captures, outputs: [],
          attributes: attributes, annotations: annotations,
          deviceConfigurations: deviceConfigurations)))
    for (index, output) in outputs.enumerated() {
      let value = output.map {
        addValue(name: $0.name, type: $0.type, definition: .output(of: id, index: index))
      }
      nodeSlots[id.index]!.node.outputs.append(value)
    }
    for (index, input) in inputs.enumerated() {
      if let input { valueSlots[input.index]!.uses.append(.operand(id, index)) }
    }
    for (index, capture) in captures.enumerated() {
      valueSlots[capture.index]!.uses.append(.capture(id, index))
    }
    link(id, at: point)
    advanceRevision()
    return id
  }

  private mutating func link(_ id: NodeID, at point: InsertionPoint) {
    let previous: NodeID?
    let next: NodeID?
    switch point {
    case .atEnd: (previous, next) = (lastNode, nil)
    case .before(let node): (previous, next) = (nodeSlots[node.index]!.previous, node)
    case .after(let node): (previous, next) = (node, nodeSlots[node.index]!.next)
    }
    nodeSlots[id.index]!.previous = previous
    nodeSlots[id.index]!.next = next
    if let previous { nodeSlots[previous.index]!.next = id } else { firstNode = id }
    if let next { nodeSlots[next.index]!.previous = id } else { lastNode = id }
  }

  private mutating func unlink(_ id: NodeID) {
    let slot = nodeSlots[id.index]!
    if let previous = slot.previous {
      nodeSlots[previous.index]!.next = slot.next
    } else {
      firstNode = slot.next
    }
    if let next = slot.next {
      nodeSlots[next.index]!.previous = slot.previous
    } else {
      lastNode = slot.previous
    }
  }

  /// Moves a node elsewhere in the order of execution.
  public mutating func move(_ id: NodeID, to point: InsertionPoint) {
    unlink(id)
    link(id, at: point)
    advanceRevision()
  }

  /// Makes operand `index` of `node` another value. Appends omitted operands up to `index`.
  public mutating func setInput(_ index: Int, of node: NodeID, to value: ValueID?) {
    while nodeSlots[node.index]!.node.inputs.count <= index {
      nodeSlots[node.index]!.node.inputs.append(nil)
    }
    if let old = self[node].inputs[index] {
      valueSlots[old.index]!.uses.removeFirst(.operand(node, index))
    }
    nodeSlots[node.index]!.node.inputs[index] = value
    if let value { valueSlots[value.index]!.uses.append(.operand(node, index)) }
    advanceRevision()
  }

  /// Shortens the operand list to `count`.
  public mutating func truncateInputs(of node: NodeID, to count: Int) {
    for index in stride(from: self[node].inputs.count - 1, through: count, by: -1) {
      setInput(index, of: node, to: nil)
      nodeSlots[node.index]!.node.inputs.removeLast()
    }
  }

  /// Shortens the list of results to `count`. Nothing may use those that go.
  public mutating func truncateOutputs(of node: NodeID, to count: Int) {
    for value in self[node].outputs.dropFirst(count).compactMap({ $0 }) {
      precondition(self[value].uses.isEmpty, "a result that is used is taken away")
      valueSlots[value.index] = nil
    }
    nodeSlots[node.index]!.node.outputs.removeSubrange(count...)
    advanceRevision()
  }

  /// Makes every use of `old` a use of `new`, graph outputs and captures included.
  public mutating func replaceAllUses(of old: ValueID, with new: ValueID) {
    guard old != new else { return }
    let uses = self[old].uses
    valueSlots[old.index]!.uses = []
    for use in uses {
      switch use {
      case .operand(let node, let index): nodeSlots[node.index]!.node.inputs[index] = new
      case .capture(let node, let index): nodeSlots[node.index]!.node.captures[index] = new
      case .graphOutput(let index):
        outputs[index].value = new
        // The signature stays as it is, whatever is known of the new value.
        if outputs[index].declaredType == nil, let type = self[old].type, self[new].type != type {
          outputs[index].declaredType = type
        }
      }
    }
    valueSlots[new.index]!.uses += uses
    advanceRevision()
  }

  /// Makes a node another operation on other operands; its name and its results stay.
  public mutating func redefine(
    _ id: NodeID, as operation: OperationName, inputs: [ValueID?], captures: [ValueID],
    attributes: [Attribute]
  ) {
    forgetUses(of: id)
    for (index, input) in inputs.enumerated() {
      if let input { valueSlots[input.index]!.uses.append(.operand(id, index)) }
    }
    for (index, capture) in captures.enumerated() {
      valueSlots[capture.index]!.uses.append(.capture(id, index))
    }
    nodeSlots[id.index]!.node.operation = operation
    nodeSlots[id.index]!.node.inputs = inputs
    nodeSlots[id.index]!.node.captures = captures
    nodeSlots[id.index]!.node.attributes = attributes
    advanceRevision()
  }

  /// Takes what a node reads off the lists of uses.
  private mutating func forgetUses(of id: NodeID) {
    for (index, input) in self[id].inputs.enumerated() {
      if let input { valueSlots[input.index]!.uses.removeFirst(.operand(id, index)) }
    }
    for (index, capture) in self[id].captures.enumerated() {
      valueSlots[capture.index]!.uses.removeFirst(.capture(id, index))
    }
  }

  /// Sets an attribute of a node, replacing one of the same name in its place.
  public mutating func setAttribute(_ attribute: Attribute, of node: NodeID) {
    if let index = self[node].attributes.firstIndex(where: { $0.name == attribute.name }) {
      nodeSlots[node.index]!.node.attributes[index] = attribute
    } else {
      nodeSlots[node.index]!.node.attributes.append(attribute)
    }
    advanceRevision()
  }

  /// Removes an attribute of a node, if it is there.
  public mutating func removeAttribute(_ name: String, of node: NodeID) {
    nodeSlots[node.index]!.node.attributes.removeAll { $0.name == name }
    advanceRevision()
  }

  /// Removes a node whose outputs nothing uses, and those outputs.
  public mutating func erase(_ id: NodeID) {
    let node = self[id]
    for output in node.outputs.compactMap({ $0 }) {
      precondition(self[output].uses.isEmpty, "output '\(self[output].name)' is still used")
    }
    forgetUses(of: id)
    for output in node.outputs.compactMap({ $0 }) { valueSlots[output.index] = nil }
    unlink(id)
    nodeSlots[id.index] = nil
    erasedNodeCount += 1
    advanceRevision()
  }
}

extension [Use] {
  mutating func removeFirst(_ use: Use) {
    guard let index = firstIndex(of: use) else { preconditionFailure("use is not recorded") }
    swapAt(index, count - 1)
    removeLast()
  }
}
