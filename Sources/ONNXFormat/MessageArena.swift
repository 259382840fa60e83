import CPrunecONNX
import CPrunecProtobufC
import PrunecGraphIR
import PrunecTensors

/// The memory of protobuf-c messages that are built to be written: freed all at once.
final class MessageArena {
  private static let blockSize = 1 << 18

  private var blocks: [UnsafeMutableRawPointer] = []
  private var next: UnsafeMutableRawPointer?
  private var bytesLeft = 0
  /// The tensors whose elements messages stand for, by the addresses that stand for them.
  private(set) var tensors: [UnsafeRawPointer: Tensor] = [:]

  deinit { for block in blocks { block.deallocate() } }

  /// Memory for `byteCount` bytes, aligned for any member of a message.
  private func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
    let size = (byteCount + 15) & ~15
    if size > bytesLeft || next == nil {
      let blockSize = max(size, Self.blockSize)
      let block = UnsafeMutableRawPointer.allocate(byteCount: blockSize, alignment: 16)
      blocks.append(block)
      next = block
      bytesLeft = blockSize
    }
    let result = next!
    next = result + size
    bytesLeft -= size
    return result
  }

  /// A message, set up by the function that protoc-c generated for its type.
  func message<Proto>(_ initialize: (UnsafeMutablePointer<Proto>?) -> Void) -> Message<Proto> {
    let memory = allocate(byteCount: MemoryLayout<Proto>.size)
    let message = memory.bindMemory(to: Proto.self, capacity: 1)
    initialize(message)
    return message
  }

  /// The value of a string field, which is absent where `string` is empty.
  func text(_ string: String) -> UnsafeMutablePointer<CChar>? {
    string.isEmpty ? nil : requiredText(string)
  }

  /// The value of a string field that is present even where `string` is empty.
  func requiredText(_ string: String) -> UnsafeMutablePointer<CChar> {
    var string = string
    return string.withUTF8 { utf8 in
      let target = allocate(byteCount: utf8.count + 1)
      UnsafeMutableRawBufferPointer(start: target, count: utf8.count).copyBytes(from: utf8)
      target.storeBytes(of: 0, toByteOffset: utf8.count, as: UInt8.self)
      return target.bindMemory(to: CChar.self, capacity: utf8.count + 1)
    }
  }

  /// The elements of a repeated string field.
  func texts(_ strings: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
    array(strings.map { requiredText($0) })
  }

  /// The elements of a repeated field.
  func array<Element>(_ elements: [Element]) -> UnsafeMutablePointer<Element>? {
    guard !elements.isEmpty else { return nil }
    let memory = allocate(byteCount: elements.count * MemoryLayout<Element>.stride)
    let target = memory.bindMemory(to: Element.self, capacity: elements.count)
    target.initialize(from: elements, count: elements.count)
    return target
  }

  /// The elements of a repeated message field.
  func pointers<Proto>(
    _ messages: [Message<Proto>]
  ) -> UnsafeMutablePointer<UnsafeMutablePointer<Proto>?>? {
    array(messages.map { Optional($0) })
  }

  /// The value of a bytes field.
  func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
    ProtobufCBinaryData(len: bytes.count, data: array(bytes))
  }

  /// A bytes field that stands for the elements of `tensor`: as long as they are, at an address that only
  /// says which tensor they are of. `MessagePacker` puts the elements in their place.
  func elements(of tensor: Tensor) -> ProtobufCBinaryData {
    let address = allocate(byteCount: 1)
    tensors[UnsafeRawPointer(address)] = tensor
    return ProtobufCBinaryData(
      len: tensor.byteCount, data: address.bindMemory(to: UInt8.self, capacity: 1))
  }

  /// The entries of a `metadata_props` field.
  func entries(
    _ entries: [Annotations.Entry]
  ) -> UnsafeMutablePointer<Message<Onnx__StringStringEntryProto>?>? {
    pointers(
      entries.map {
        let proto = entry($0.key, $0.value)
        attach(unknownFields: $0.unknownFields, to: proto)
        return proto
      })
  }

  func entry(_ key: String, _ value: String) -> Message<Onnx__StringStringEntryProto> {
    entry(key, requiredText(value))
  }

  /// An entry whose value is in the arena already.
  func entry(
    _ key: String, _ value: UnsafeMutablePointer<CChar>
  ) -> Message<Onnx__StringStringEntryProto> {
    let proto = message(onnx__string_string_entry_proto__init)
    proto.pointee.key = requiredText(key)
    proto.pointee.value = value
    return proto
  }

  // MARK: Fields in wire format

  /// A field whose payload is there in wire format already.
  struct EncodedField {
    var number: UInt32
    var message: [UInt8]
  }

  /// Makes `message` carry `unknownFields`, which are in wire format, and `encoded`.
  ///
  /// protobuf-c writes what it takes for unknown fields as they are, so that messages which are
  /// only carried along need not be unpacked.
  func attach<Proto>(
    unknownFields: [UInt8], encoded: [EncodedField] = [], to message: Message<Proto>
  ) {
    guard !unknownFields.isEmpty || !encoded.isEmpty else { return }
    var fields = split(unknownFields)
    for field in encoded {
      var payload: [UInt8] = []
      payload.appendVarint(UInt64(field.message.count))
      payload += field.message
      fields.append(unknownField(field.number, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, payload))
    }
    withBase(message) { base in
      base.pointee.n_unknown_fields = UInt32(fields.count)
      base.pointee.unknown_fields = array(fields)
    }
  }

  private func unknownField(
    _ number: UInt32, _ type: ProtobufCWireType, _ payload: [UInt8]
  ) -> ProtobufCMessageUnknownField {
    ProtobufCMessageUnknownField(
      tag: number, wire_type: type, len: payload.count, data: array(payload))
  }

  private func split(_ unknownFields: [UInt8]) -> [ProtobufCMessageUnknownField] {
    unknownFields.withUnsafeBytes { bytes in
      var reader = WireReader(bytes: bytes, position: 0, end: bytes.count)
      var fields: [ProtobufCMessageUnknownField] = []
      do throws(CompileError) {
        while !reader.isAtEnd {
          let tag = try reader.readTag()
          let start = reader.position
          try reader.skipPayload(of: tag.type)
          fields.append(
            unknownField(
              tag.field, ProtobufCWireType(UInt32(tag.type.rawValue)),
              Array(bytes[start..<reader.position])))
        }
      } catch {
        preconditionFailure("unknown fields are not in wire format: \(error)")
      }
      return fields
    }
  }
}
