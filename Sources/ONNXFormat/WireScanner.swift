import CPrunecONNX
import CPrunecProtobufC
import PrunecGraphIR

/// A model file without the bytes of its tensors.
struct Skeleton {
  /// A serialized `ModelProto` or `TensorProto`. The `raw_data` of every tensor outside of opaque messages holds an
  /// `OmittedBytes` instead of the elements.
  let bytes: [UInt8]
}

/// Where in the file the bytes are that a skeleton leaves out.
struct OmittedBytes {
  static let encodedSize = 16

  let range: Range<Int>

  init(_ range: Range<Int>) { self.range = range }

  /// Reads what `encoded` wrote; `nil` for anything that is not of its size.
  init?(encoded: UnsafeRawBufferPointer) {
    guard encoded.count == Self.encodedSize else { return nil }
    let start = encoded.loadUnaligned(fromByteOffset: 0, as: Int.self)
    let count = encoded.loadUnaligned(fromByteOffset: 8, as: Int.self)
    range = start..<(start + count)
  }

  func append(to bytes: inout [UInt8]) {
    withUnsafeBytes(of: (range.lowerBound, range.count)) { bytes.append(contentsOf: $0) }
  }
}

/// Walks a serialized `ModelProto` before protobuf-c does, which trusts its input: it recurses
/// without a limit and turns two bytes into hundreds.
///
/// Refused are: messages more than 100 deep, anything cut short or longer than what holds it, wire
/// types that the schema does not allow, groups, field number 0, strings that are not UTF-8 or hold
/// a NUL, a message field or a oneof given twice, and files that would take implausibly more memory
/// than they have bytes. On the way the file is rewritten as a `Skeleton`, so that weights are not
/// copied, nor even read.
struct WireScanner {
  /// Depth of nesting at which ONNX's own readers stop.
  static let maximumDepth = 100
  /// Memory that protobuf-c may take for any file, and for every byte that is not a tensor's
  /// (measured: exported models take 4 to 18 times their bytes, those of more than 100 kB 4 to 11).
  static let baseBudget = 32 << 20
  static let budgetPerByte = 16

  private let bytes: UnsafeRawBufferPointer
  private var skeleton: [UInt8] = []
  private var omittedByteCount = 0
  private var footprint = UnpackedFootprint()
  /// The first place at which the footprint was beyond the budget for the bytes up to there.
  private var firstExcess: (offset: Int, message: String)?

  /// The skeleton of the file `bytes`, which holds a message of type `root`: a model, or what may hold tensors.
  ///
  /// Throws `.malformed`, naming the byte, for everything listed above.
  static func skeleton(
    of bytes: UnsafeRawBufferPointer,
    as root: UnsafePointer<ProtobufCMessageDescriptor> = MessageTypes.model
  ) throws(CompileError) -> Skeleton {
    var scanner = WireScanner(bytes: bytes)
    try scanner.scanMessage(0..<bytes.count, root, depth: 0, isRewritten: true)
    try scanner.checkFootprint()
    return Skeleton(bytes: scanner.skeleton)
  }

  private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  private typealias Descriptor = UnsafePointer<ProtobufCMessageDescriptor>
  private typealias Field = UnsafePointer<ProtobufCFieldDescriptor>

  /// Scans one message. A message that may hold tensors `isRewritten` field by field; any other
  /// is checked only, and its owner copies it.
  private mutating func scanMessage(
    _ range: Range<Int>, _ descriptor: Descriptor, depth: Int, isRewritten: Bool
  ) throws(CompileError) {
    guard depth <= Self.maximumDepth else {
      throw CompileError(
        .malformed, "messages are nested more than \(Self.maximumDepth) deep",
        at: .byte(range.lowerBound))
    }
    footprint.addMessage(size: descriptor.pointee.sizeof_message)
    noteExcess(of: descriptor, at: range.lowerBound, scannedUpTo: range.lowerBound)

    var reader = WireReader(bytes: bytes, position: range.lowerBound, end: range.upperBound)
    var seen: UInt64 = 0
    var fieldCount = 0
    var copiedUpTo = range.lowerBound
    while !reader.isAtEnd {
      let start = reader.position
      let tag = try reader.readTag()
      fieldCount += 1
      guard let field = protobuf_c_message_descriptor_get_field(descriptor, tag.field) else {
        try reader.skipPayload(of: tag.type)
        footprint.addUnknownField(byteCount: reader.position - start)
        continue
      }
      try checkRepetition(of: field, in: descriptor, seen: &seen, at: start)
      guard let payload = try scanField(field, tag.type, &reader, at: start, descriptor) else {
        continue
      }
      if field.pointee.type == PROTOBUF_C_TYPE_BYTES {
        guard isRewritten, isTensorRawData(field, of: descriptor) else { continue }
        copy(copiedUpTo..<start)
        omit(payload, field: tag.field)
      } else {
        let nested = field.pointee.descriptor.assumingMemoryBound(
          to: ProtobufCMessageDescriptor.self)
        guard isRewritten, MessageTypes.mayHoldTensors(nested) else {
          try scanMessage(payload, nested, depth: depth + 1, isRewritten: false)
          continue
        }
        copy(copiedUpTo..<start)
        let lengthOffset = openMessage(field: tag.field)
        try scanMessage(payload, nested, depth: depth + 1, isRewritten: true)
        try closeMessage(lengthOffset: lengthOffset, at: start)
      }
      copiedUpTo = reader.position
    }
    if isRewritten { copy(copiedUpTo..<range.upperBound) }
    footprint.noteScan(ofFields: fieldCount)
    noteExcess(of: descriptor, at: range.lowerBound, scannedUpTo: range.upperBound)
  }

  /// Checks one known field, and returns where its bytes are if it is a message or bytes.
  private mutating func scanField(
    _ field: Field, _ type: WireType, _ reader: inout WireReader, at start: Int,
    _ descriptor: Descriptor
  ) throws(CompileError) -> Range<Int>? {
    let isRepeated = field.pointee.label == PROTOBUF_C_LABEL_REPEATED
    let kind = FieldKind(field.pointee.type)
    switch (kind, type) {
    case (.message, .lengthPrefixed):
      if isRepeated { footprint.addElement(size: MemoryLayout<UnsafeRawPointer>.size) }
      return try reader.readLengthPrefixed()
    case (.string, .lengthPrefixed):
      let range = try reader.readLengthPrefixed()
      guard Self.isText(UnsafeRawBufferPointer(rebasing: bytes[range])) else {
        throw CompileError(
          .malformed, "\(Self.name(field, descriptor)) is not UTF-8 text or holds a NUL",
          at: .byte(range.lowerBound))
      }
      if isRepeated { footprint.addElement(size: MemoryLayout<UnsafeRawPointer>.size) }
      footprint.addAllocation(byteCount: range.count + 1)
    case (.bytes, .lengthPrefixed):
      let range = try reader.readLengthPrefixed()
      if isRepeated { footprint.addElement(size: MemoryLayout<ProtobufCBinaryData>.size) }
      // Weights are left out; whatever else is large counts as itself and cannot amplify.
      if range.count < 4096 { footprint.addAllocation(byteCount: range.count) }
      return range
    case (.varint(let size), .varint):
      _ = try reader.readVarint()
      if isRepeated { footprint.addElement(size: size) }
    case (.fixed32, .fixed32):
      try reader.skip(4)
      if isRepeated { footprint.addElement(size: 4) }
    case (.fixed64, .fixed64):
      try reader.skip(8)
      if isRepeated { footprint.addElement(size: 8) }
    case (.varint(let size), .lengthPrefixed) where isRepeated:
      let range = try reader.readLengthPrefixed()
      footprint.addElements(try countVarints(in: range), size: size)
    case (.fixed32, .lengthPrefixed) where isRepeated:
      try checkPacked(try reader.readLengthPrefixed(), size: 4, field, descriptor)
    case (.fixed64, .lengthPrefixed) where isRepeated:
      try checkPacked(try reader.readLengthPrefixed(), size: 8, field, descriptor)
    default:
      throw CompileError(
        .malformed, "\(Self.name(field, descriptor)) has the wrong wire type \(type.rawValue)",
        at: .byte(start))
    }
    return nil
  }

  private func countVarints(in range: Range<Int>) throws(CompileError) -> Int {
    var reader = WireReader(bytes: bytes, position: range.lowerBound, end: range.upperBound)
    var count = 0
    while !reader.isAtEnd {
      _ = try reader.readVarint()
      count += 1
    }
    return count
  }

  private mutating func checkPacked(
    _ range: Range<Int>, size: Int, _ field: Field, _ descriptor: Descriptor
  ) throws(CompileError) {
    guard range.count % size == 0 else {
      throw CompileError(
        .malformed,
        "\(Self.name(field, descriptor)) has \(range.count) bytes, not a multiple of \(size)",
        at: .byte(range.lowerBound))
    }
    footprint.addElements(range.count / size, size: size)
  }

  /// Protobuf merges a message that is given twice, which nothing that writes ONNX relies on and
  /// which would make two tensors' bytes one.
  private func checkRepetition(
    of field: Field, in descriptor: Descriptor, seen: inout UInt64, at start: Int
  ) throws(CompileError) {
    let isOneOf = field.pointee.flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0
    let isMessage = field.pointee.type == PROTOBUF_C_TYPE_MESSAGE
    guard field.pointee.label != PROTOBUF_C_LABEL_REPEATED,
      isOneOf || isMessage || isTensorRawData(field, of: descriptor)
    else { return }
    // All members of a oneof share a quantifier, and so the bit of the first of them.
    let fields = UnsafeBufferPointer(
      start: descriptor.pointee.fields, count: Int(descriptor.pointee.n_fields))
    let index = fields.firstIndex {
      isOneOf ? $0.quantifier_offset == field.pointee.quantifier_offset : $0.id == field.pointee.id
    }
    guard let index, index < 64 else { return }
    guard seen & (1 << UInt64(index)) == 0 else {
      throw CompileError(
        .malformed, "\(Self.name(field, descriptor)) is given twice", at: .byte(start))
    }
    seen |= 1 << UInt64(index)
  }

  // MARK: Rewriting

  private mutating func copy(_ range: Range<Int>) {
    skeleton.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[range]))
  }

  private mutating func omit(_ range: Range<Int>, field: UInt32) {
    skeleton.appendVarint(UInt64(field) << 3 | UInt64(WireType.lengthPrefixed.rawValue))
    skeleton.appendVarint(UInt64(OmittedBytes.encodedSize))
    OmittedBytes(range).append(to: &skeleton)
    omittedByteCount += range.count
  }

  /// Begins a message whose length is not known yet: five bytes are left for it, which is what
  /// protobuf-c reads at most.
  private mutating func openMessage(field: UInt32) -> Int {
    skeleton.appendVarint(UInt64(field) << 3 | UInt64(WireType.lengthPrefixed.rawValue))
    skeleton.append(contentsOf: [0, 0, 0, 0, 0])
    return skeleton.count - 5
  }

  private mutating func closeMessage(lengthOffset: Int, at start: Int) throws(CompileError) {
    let length = skeleton.count - lengthOffset - 5
    guard length <= Int(Int32.max) else {
      throw CompileError(
        .malformed, "a message holds more than 2 GiB without its raw data", at: .byte(start))
    }
    for index in 0..<5 {
      let group = UInt8(truncatingIfNeeded: length >> (7 * index)) & 0x7F
      skeleton[lengthOffset + index] = index < 4 ? group | 0x80 : group
    }
  }

  private func isTensorRawData(_ field: Field, of descriptor: Descriptor) -> Bool {
    field.pointee.id == 9 && descriptor == MessageTypes.tensor
  }

  // MARK: Messages

  private static func name(_ field: Field, _ descriptor: Descriptor) -> String {
    "field '\(String(cString: field.pointee.name))' of "
      + String(cString: descriptor.pointee.short_name)
  }

  private static func isText(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var isASCII = true
    for byte in bytes {
      if byte == 0 { return false }
      if byte >= 0x80 { isASCII = false }
    }
    return isASCII || String(validating: bytes, as: UTF8.self) != nil
  }

  // MARK: Amplification

  private mutating func noteExcess(
    of descriptor: Descriptor, at offset: Int, scannedUpTo position: Int
  ) {
    guard firstExcess == nil else { return }
    let structural = max(0, position - omittedByteCount)
    if footprint.peakByteCount > Self.baseBudget + Self.budgetPerByte * structural {
      firstExcess = (offset, String(cString: descriptor.pointee.short_name))
    }
  }

  private func checkFootprint() throws(CompileError) {
    let structural = bytes.count - omittedByteCount
    let (scaled, overflow) = structural.multipliedReportingOverflow(by: Self.budgetPerByte)
    guard !overflow, footprint.peakByteCount > Self.baseBudget + scaled else { return }
    throw CompileError(
      .malformed,
      "\(structural) bytes of structure would take \(footprint.peakByteCount) bytes of memory, "
        + "which is implausible for a model",
      at: firstExcess.map { .byte($0.offset) },
      notes: firstExcess.map { ["the first message too many is of type \($0.message)"] } ?? [])
  }
}

/// The descriptors of the messages that are imported piece by piece, and so may be rewritten.
enum MessageTypes {
  nonisolated(unsafe) static let model = descriptor(onnx__model_proto__init)
  nonisolated(unsafe) static let tensor = descriptor(onnx__tensor_proto__init)
  private nonisolated(unsafe) static let others = [
    descriptor(onnx__attribute_proto__init), descriptor(onnx__node_proto__init),
    descriptor(onnx__graph_proto__init), descriptor(onnx__function_proto__init),
  ]

  static func mayHoldTensors(_ type: UnsafePointer<ProtobufCMessageDescriptor>) -> Bool {
    type == tensor || others.contains(type)
  }

  /// The descriptor that the messages of a type point to, which is the one that field descriptors
  /// point to; the address of the imported global may be that of a copy.
  private static func descriptor<Message>(
    _ initialize: (UnsafeMutablePointer<Message>?) -> Void
  ) -> UnsafePointer<ProtobufCMessageDescriptor> {
    let message = UnsafeMutablePointer<Message>.allocate(capacity: 1)
    defer { message.deallocate() }
    initialize(message)
    return message.withMemoryRebound(to: ProtobufCMessage.self, capacity: 1) {
      $0.pointee.descriptor
    }
  }
}

/// How a field's elements are written.
private enum FieldKind {
  case message, string, bytes, fixed32, fixed64
  /// A varint that takes `size` bytes in memory.
  case varint(size: Int)

  init(_ type: ProtobufCType) {
    switch type {
    case PROTOBUF_C_TYPE_MESSAGE: self = .message
    case PROTOBUF_C_TYPE_STRING: self = .string
    case PROTOBUF_C_TYPE_BYTES: self = .bytes
    case PROTOBUF_C_TYPE_FLOAT, PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32: self = .fixed32
    case PROTOBUF_C_TYPE_DOUBLE, PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64: self = .fixed64
    case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_UINT64:
      self = .varint(size: 8)
    default: self = .varint(size: 4)
    }
  }
}
