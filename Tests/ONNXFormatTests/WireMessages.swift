/// Builds messages byte by byte, so that tests can say things that no library would write.
struct WireMessage {
  private(set) var bytes: [UInt8] = []

  init() {}
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private mutating func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  func integer(_ field: UInt64, _ value: Int) -> WireMessage {
    var copy = self
    copy.append(varint: field << 3)
    copy.append(varint: UInt64(bitPattern: Int64(value)))
    return copy
  }

  func block(_ field: UInt64, _ payload: [UInt8]) -> WireMessage {
    var copy = self
    copy.append(varint: field << 3 | 2)
    copy.append(varint: UInt64(payload.count))
    copy.bytes += payload
    return copy
  }

  func block(_ field: UInt64, _ message: WireMessage) -> WireMessage {
    block(field, message.bytes)
  }

  func text(_ field: UInt64, _ text: String) -> WireMessage { block(field, Array(text.utf8)) }

  func raw(_ bytes: [UInt8]) -> WireMessage { WireMessage(self.bytes + bytes) }

  // MARK: Messages of ONNX

  static func node(
    _ operation: String, _ inputs: [String], _ outputs: [String], name: String = ""
  ) -> WireMessage {
    var node = WireMessage()
    for input in inputs { node = node.text(1, input) }
    for output in outputs { node = node.text(2, output) }
    if !name.isEmpty { node = node.text(3, name) }
    return node.text(4, operation)
  }

  /// A value of type float, whose extents are `shape`.
  static func value(_ name: String, _ shape: [Int] = [2]) -> WireMessage {
    var dimensions = WireMessage()
    for extent in shape { dimensions = dimensions.block(1, WireMessage().integer(1, extent)) }
    let tensor = WireMessage().integer(1, 1).block(2, dimensions)
    return WireMessage().text(1, name).block(2, WireMessage().block(1, tensor))
  }

  static func tensor(_ name: String, _ shape: [Int], type: Int = 1) -> WireMessage {
    var tensor = WireMessage()
    for extent in shape { tensor = tensor.integer(1, extent) }
    return tensor.integer(2, type).text(8, name)
  }

  static func graph(
    _ nodes: [WireMessage], inputs: [WireMessage] = [value("x")],
    outputs: [WireMessage] = [value("y")], initializers: [WireMessage] = []
  ) -> WireMessage {
    var graph = WireMessage()
    for node in nodes { graph = graph.block(1, node) }
    graph = graph.text(2, "g")
    for initializer in initializers { graph = graph.block(5, initializer) }
    for input in inputs { graph = graph.block(11, input) }
    for output in outputs { graph = graph.block(12, output) }
    return graph
  }

  static func model(_ graph: WireMessage, irVersion: Int = 8, opset: Int = 17) -> WireMessage {
    WireMessage().integer(1, irVersion).block(7, graph)
      .block(8, WireMessage().text(1, "").integer(2, opset))
  }

  static let relu = node("Relu", ["x"], ["y"])
}
