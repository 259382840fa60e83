import PrunecGraphIR

/// The wire types of protobuf that ONNX may use.
enum WireType: UInt8 {
  case varint = 0
  case fixed64 = 1
  case lengthPrefixed = 2
  case fixed32 = 5
}

/// Reads the primitives of protobuf's wire format and refuses what is cut short.
struct WireReader {
  let bytes: UnsafeRawBufferPointer
  /// Offset in the file of the next byte.
  var position: Int
  /// Offset in the file at which the message that is being read ends.
  var end: Int

  var isAtEnd: Bool { position >= end }

  /// Reads a varint of at most ten bytes.
  mutating func readVarint() throws(CompileError) -> UInt64 {
    let start = position
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while shift < 70 {
      guard position < end else {
        throw CompileError(.malformed, "the file is cut short inside a number", at: .byte(start))
      }
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    throw CompileError(.malformed, "a number has more than ten bytes", at: .byte(start))
  }

  /// Reads a field's key.
  mutating func readTag() throws(CompileError) -> (field: UInt32, type: WireType) {
    let start = position
    let key = try readVarint()
    guard position - start <= 5, key <= UInt64(UInt32.max) else {
      throw CompileError(.malformed, "the number of a field is too large", at: .byte(start))
    }
    let field = UInt32(key >> 3)
    guard field != 0 else {
      throw CompileError(.malformed, "a field has the number 0", at: .byte(start))
    }
    guard let type = WireType(rawValue: UInt8(key & 7)) else {
      throw CompileError(
        .malformed, "field \(field) has the unsupported wire type \(key & 7)", at: .byte(start))
    }
    return (field, type)
  }

  /// Reads a length and returns the range of that many bytes after it, which it skips.
  mutating func readLengthPrefixed() throws(CompileError) -> Range<Int> {
    let start = position
    let length = try readVarint()
    guard length <= UInt64(end - position) else {
      throw CompileError(
        .malformed, "\(length) bytes are announced, \(end - position) are left", at: .byte(start))
    }
    let range = position..<(position + Int(length))
    position = range.upperBound
    return range
  }

  /// Skips `count` bytes.
  mutating func skip(_ count: Int) throws(CompileError) {
    guard count <= end - position else {
      throw CompileError(.malformed, "the file is cut short inside a field", at: .byte(position))
    }
    position += count
  }

  /// Skips what follows a key of that wire type.
  mutating func skipPayload(of type: WireType) throws(CompileError) {
    switch type {
    case .varint: _ = try readVarint()
    case .fixed64: try skip(8)
    case .fixed32: try skip(4)
    case .lengthPrefixed: _ = try readLengthPrefixed()
    }
  }
}

extension [UInt8] {
  /// Appends a varint in its shortest form.
  mutating func appendVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(rest))
  }
}
