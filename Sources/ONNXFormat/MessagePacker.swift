import CPrunecONNX
import CPrunecProtobufC
import PrunecTensors

/// Brings exported messages into wire format, with the elements of tensors in the places of what stands
/// for them (`MessageArena.elements(of:)`). They are read a piece at a time.
final class MessagePacker {
  private let arena: MessageArena
  private var output: (UnsafeRawBufferPointer) -> Void = { _ in }

  init(_ arena: MessageArena) { self.arena = arena }

  /// Calls `output` with the message's bytes in order.
  func pack<Proto>(_ proto: Message<Proto>, _ output: @escaping (UnsafeRawBufferPointer) -> Void) {
    self.output = output
    defer { self.output = { _ in } }
    let append:
      @convention(c) (UnsafeMutablePointer<ProtobufCBuffer>?, Int, UnsafePointer<UInt8>?) -> Void =
        {
          buffer, count, bytes in
          buffer!.withMemoryRebound(to: PackingBuffer.self, capacity: 1) {
            $0.pointee.packer.takeUnretainedValue().append(
              UnsafeRawBufferPointer(start: bytes, count: count))
          }
        }
    withExtendedLifetime(self) {
      var buffer = PackingBuffer(
        base: ProtobufCBuffer(append: append), packer: Unmanaged.passUnretained(self))
      withUnsafeMutablePointer(to: &buffer) { pointer in
        pointer.withMemoryRebound(to: ProtobufCBuffer.self, capacity: 1) { base in
          withBase(proto) { _ = protobuf_c_message_pack_to_buffer($0, base) }
        }
      }
    }
  }

  private func append(_ bytes: UnsafeRawBufferPointer) {
    if let address = bytes.baseAddress, let tensor = arena.tensors[address] {
      tensor.forEachPiece(output)
    } else {
      output(bytes)
    }
  }
}

/// A protobuf-c buffer that appends to what a packer writes to.
private struct PackingBuffer {
  /// First, since protobuf-c passes a pointer to it on.
  var base: ProtobufCBuffer
  let packer: Unmanaged<MessagePacker>
}
