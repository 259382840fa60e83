import PrunecGraphIR
import Testing

@testable import PrunecONNXFormat

/// A model that must be refused, and a part of what the message says.
private struct Refusal: CustomTestStringConvertible, Sendable {
  let message: String
  let bytes: [UInt8]
  let location: Location?

  init(_ message: String, at location: Location? = nil, _ model: WireMessage) {
    self.message = message
    self.location = location
    bytes = model.bytes
  }

  var testDescription: String { message }

  static let wire: [Refusal] = [
    Refusal("is empty", WireMessage()),
    Refusal("cut short", at: .byte(1), WireMessage([8, 0xFF])),
    Refusal(
      "more than ten bytes", at: .byte(1), WireMessage([8] + Array(repeating: 0xFF, count: 11))),
    Refusal(
      "9223372036854775808 bytes are announced",
      WireMessage().raw(
        [0x3A, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01])),
    Refusal("5 bytes are announced, 2 are left", WireMessage([0x3A, 5, 0, 0])),
    Refusal("wire type 3", WireMessage([0x0B])),
    Refusal("number 0", WireMessage([0x00, 0x01])),
    Refusal("'graph' of ModelProto has the wrong wire type 0", WireMessage().integer(7, 5)),
    Refusal(
      "'graph' of ModelProto is given twice",
      WireMessage.model(.graph([.relu])).block(7, .graph([.relu]))),
    Refusal(
      "'name' of NodeProto is not UTF-8",
      .model(.graph([WireMessage.relu.block(3, [0xFF])]))),
    Refusal("'name' of NodeProto is not UTF-8", .model(.graph([WireMessage.relu.block(3, [0])]))),
    Refusal(
      "'raw_data' of TensorProto is given twice",
      .model(
        .graph(
          [.relu],
          initializers: [
            WireMessage.tensor("w", [1]).block(9, [0, 0, 0, 0]).block(9, [0, 0, 0, 0])
          ]))),
    Refusal(
      "not a multiple of 4",
      .model(.graph([.relu], initializers: [WireMessage.tensor("w", [1]).block(4, [0])]))),
    Refusal("nested more than 100 deep", .model(.graph([.relu], inputs: [nestedType(levels: 60)]))),
    Refusal(
      "implausible",
      WireMessage.model(.graph([.relu])).raw(
        Array(repeating: [UInt8(14 << 3 | 2), 0], count: 2_000_000).flatMap { $0 })),
  ]

  private static func nestedType(levels: Int) -> WireMessage {
    var type = WireMessage()
    for _ in 0..<levels { type = WireMessage().block(4, WireMessage().block(1, type)) }
    return WireMessage().text(1, "x").block(2, type)
  }

  static let models: [Refusal] = [
    Refusal("does not say which version of the format", WireMessage().block(7, .graph([.relu]))),
    Refusal("version 15 of the ONNX format", .model(.graph([.relu]), irVersion: 15)),
    Refusal("version 2 of the ONNX format", .model(.graph([.relu]), irVersion: 2)),
    Refusal("version 29 of ONNX's operators", .model(.graph([.relu]), opset: 29)),
    Refusal("version 6 of ONNX's operators", .model(.graph([.relu]), opset: 6)),
    Refusal("no graph", WireMessage().integer(1, 8)),
    Refusal(
      "does not say which version of the operators",
      WireMessage().integer(1, 8).block(7, .graph([.relu]))),
    Refusal(
      "depends on its own result", at: .node(name: "first", operation: "Add"),
      .model(
        .graph([
          .node("Add", ["x", "y"], ["a"], name: "first"),
          .node("Relu", ["a"], ["y"], name: "second"),
        ]))),
    Refusal("depends on its own result", .model(.graph([.node("Neg", ["y"], ["y"])]))),
    Refusal(
      "uses 'nowhere'", at: .node(name: "n", operation: "Relu"),
      .model(.graph([.node("Relu", ["nowhere"], ["y"], name: "n")]))),
    Refusal(
      "result 'y' has the name of another", at: .node(name: "n", operation: "Neg"),
      .model(.graph([.relu, .node("Neg", ["x"], ["y"], name: "n")]))),
    Refusal(
      "has the name of another value", at: .value("w"),
      .model(
        .graph(
          [.relu],
          initializers: Array(
            repeating: WireMessage.tensor("w", [1]).block(9, [0, 0, 0, 0]), count: 2)))),
    Refusal(
      "output is not defined", at: .value("z"),
      .model(.graph([.relu], outputs: [.value("z")]))),
    Refusal(
      "has no operator", at: .node(name: "y", operation: ""),
      .model(.graph([.node("", ["x"], ["y"])]))),
    Refusal(
      "negative extent", at: .value("x"), .model(.graph([.relu], inputs: [.value("x", [-2])]))),
    Refusal(
      "does not fit", at: .value("x"),
      .model(.graph([.relu], inputs: [.value("x", [0, 1 << 40, 1 << 40])]))),
  ]

  static func tensor(_ message: String, _ tensor: WireMessage) -> Refusal {
    Refusal(message, at: .value("w"), .model(.graph([.relu], initializers: [tensor])))
  }

  static let tensors: [Refusal] = [
    tensor("negative extent", .tensor("w", [-1])),
    tensor("does not fit", .tensor("w", [1 << 32, 1 << 32])),
    tensor("does not fit", .tensor("w", [0, 1 << 62, 4])),
    tensor("has no data", .tensor("w", [1 << 60])),
    tensor(
      "has 3 bytes of data, but float[1] takes 4",
      WireMessage.tensor("w", [1]).block(9, [0, 0, 0])),
    tensor("unknown element type 99", .tensor("w", [1], type: 99)),
    tensor(
      "both raw and typed",
      WireMessage.tensor("w", [1]).block(9, [0, 0, 0, 0]).block(4, [0, 0, 0, 0])),
    tensor(
      "cannot have its data in float_data",
      WireMessage.tensor("w", [1], type: 7).block(4, [0, 0, 0, 0])),
    tensor(
      "string_data has 1 entries, but string[2] takes 2",
      WireMessage.tensor("w", [2], type: 8).text(6, "a")),
    tensor(
      "int32_data has 3 entries, but int4[4] takes 2",
      WireMessage.tensor("w", [4], type: 22).block(5, [1, 2, 3])),
    tensor("strings cannot be stored", WireMessage.tensor("w", [1], type: 8).block(9, [0])),
    tensor("segments", WireMessage.tensor("w", [1]).block(3, WireMessage())),
    tensor("257 axes", .tensor("w", Array(repeating: 1, count: 257))),
    tensor(
      "without a file",
      WireMessage.tensor("w", [1])
        .block(13, WireMessage().text(1, "location").text(2, "data")).integer(14, 1)),
  ]
}

@Suite struct RefusalTests {
  @Test(arguments: Refusal.wire + Refusal.models + Refusal.tensors)
  private func refuses(_ refusal: Refusal) throws {
    let error = try #require(throws: CompileError.self) { try importModel(bytes: refusal.bytes) }
    let diagnostic = try #require(error.diagnostics.first)
    #expect(diagnostic.message.contains(refusal.message), "\(diagnostic)")
    if let location = refusal.location { #expect(diagnostic.location == location) }
    if Refusal.wire.contains(where: { $0.bytes == refusal.bytes && !$0.bytes.isEmpty }) {
      guard case .byte = diagnostic.location else {
        Issue.record("the message names no byte: \(diagnostic)")
        return
      }
    }
  }

  /// Whatever is done to a model's bytes, it is refused or imported, never more than that.
  @Test func survivesDamage() throws {
    let tensor = WireMessage.tensor("w", [2]).block(9, [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40])
    let branch = WireMessage.graph(
      [.node("Add", ["x", "w"], ["z"])], inputs: [], outputs: [.value("z")])
    let conditional = WireMessage.node("If", ["c"], ["r"])
      .block(5, WireMessage().text(1, "then_branch").block(6, branch).integer(20, 5))
    let original = WireMessage.model(
      .graph(
        [conditional, .node("Relu", ["r"], ["y"])], inputs: [.value("x"), .value("c", [])],
        initializers: [tensor])
    ).bytes
    _ = try importModel(bytes: original)

    var generator = LinearCongruentialGenerator(state: 1)
    var importedCount = 0
    for _ in 0..<20_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let index = Int.random(in: bytes.indices, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: bytes.remove(at: index)
        default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
        }
      }
      guard let imported = try? importModel(bytes: bytes) else { continue }
      importedCount += 1
      #expect(Verifier.violations(in: imported.model.graph).isEmpty)
      _ = try importModel(bytes: try serialize(imported.model))
    }
    #expect(importedCount > 500)
  }
}

/// Random numbers that are the same in every run.
private struct LinearCongruentialGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ (state >> 29)
  }
}
