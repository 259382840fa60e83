import CPrunecONNX
import CPrunecProtobufC
import PrunecGraphIR

/// A message of the unpacked model.
typealias Message<Proto> = UnsafeMutablePointer<Proto>

/// The elements of a repeated message field.
func messages<Proto>(
  _ elements: UnsafeMutablePointer<UnsafeMutablePointer<Proto>?>?, _ count: Int
) -> [Message<Proto>] {
  UnsafeBufferPointer(start: elements, count: count).compactMap { $0 }
}

/// The elements of a repeated field of numbers.
func numbers<Number>(
  _ elements: UnsafeMutablePointer<Number>?, _ count: Int
) -> UnsafeBufferPointer<Number> {
  UnsafeBufferPointer(start: elements, count: count)
}

/// The elements of a repeated string field.
func texts(
  _ elements: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int
) -> [String] {
  UnsafeBufferPointer(start: elements, count: count).map(text)
}

/// A string field; empty where it is absent.
func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
  pointer.map { String(cString: $0) } ?? ""
}

/// A bytes field.
func byteArray(_ data: ProtobufCBinaryData) -> [UInt8] {
  Array(UnsafeBufferPointer(start: data.data, count: data.len))
}

/// Calls `body` with a message as protobuf-c's base of all messages.
func withBase<Proto, R>(_ message: Message<Proto>, _ body: (Message<ProtobufCMessage>) -> R) -> R {
  message.withMemoryRebound(to: ProtobufCMessage.self, capacity: 1, body)
}

/// A message in wire format.
func serialized<Proto>(_ message: Message<Proto>) -> [UInt8] {
  withBase(message) { base in
    let size = protobuf_c_message_get_packed_size(base)
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      count = size > 0 ? protobuf_c_message_pack(base, buffer.baseAddress) : 0
    }
  }
}

/// The fields of a message that the schema does not know, in wire format.
func unknownFieldBytes<Proto>(of message: Message<Proto>) -> [UInt8] {
  withBase(message) { base in
    var bytes: [UInt8] = []
    let fields = UnsafeBufferPointer(
      start: base.pointee.unknown_fields, count: Int(base.pointee.n_unknown_fields))
    for field in fields {
      bytes.appendVarint(UInt64(field.tag) << 3 | UInt64(field.wire_type.rawValue))
      bytes.append(contentsOf: UnsafeBufferPointer(start: field.data, count: field.len))
    }
    return bytes
  }
}

/// Whether a message itself has fields that the schema does not know.
func hasUnknownFields<Proto>(_ message: Message<Proto>) -> Bool {
  withBase(message) { $0.pointee.n_unknown_fields > 0 }
}

extension Annotations {
  /// What a message carries beyond its meaning.
  init<Proto>(
    of message: Message<Proto>, docString: UnsafeMutablePointer<CChar>? = nil,
    metadata: UnsafeMutablePointer<Message<Onnx__StringStringEntryProto>?>? = nil,
    metadataCount: Int = 0
  ) {
    self.init(
      docString: text(docString),
      metadata: messages(metadata, metadataCount).map {
        Entry(
          key: text($0.pointee.key), value: text($0.pointee.value),
          unknownFields: unknownFieldBytes(of: $0))
      },
      unknownFields: unknownFieldBytes(of: message))
  }
}
