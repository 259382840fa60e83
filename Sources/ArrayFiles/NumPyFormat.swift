import Foundation
import PrunecGraphIR
import PrunecTensors

/// The format of `.npy` files: a magic number, the version, the length of a header, the header (a literal of a Python
/// dictionary), and the elements.
///
/// After `numpy.lib.format`, versions 1.0 to 3.0: numbers and booleans of either byte order, in C or Fortran order.
enum NumPyFormat {
  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  private static let types: [(description: String, type: ElementType)] = [
    ("<f4", .float32), ("<f8", .float64), ("<f2", .float16), ("<i8", .int64), ("<i4", .int32),
    ("<i2", .int16), ("|i1", .int8), ("<u8", .uint64), ("<u4", .uint32), ("<u2", .uint16),
    ("|u1", .uint8), ("|b1", .bool),
  ]

  /// The tensor of a file's bytes.
  ///
  /// Throws a malformed error where the bytes break the format, and for other element types.
  static func tensor(_ bytes: Data) throws(CompileError) -> Tensor {
    let layout = try layout(of: bytes, byteCount: bytes.count)
    try MemoryLimit.ask(
      layout.isFortran ? 2 * bytes.count : bytes.count,
      for: "an array of shape \(layout.header.shape)")
    return layout.tensor(bytes.dropFirst(layout.start), shape: layout.header.shape)
  }

  /// Layout of the array in a file of `byteCount` bytes, read off the bytes that it begins with.
  ///
  /// Throws as `tensor` does.
  static func layout(of bytes: Data, byteCount: Int) throws(CompileError) -> Layout {
    guard bytes.count >= 10, Array(bytes.prefix(6)) == magic else {
      throw CompileError(.malformed, "is no NumPy array: byte 0 does not begin the magic number")
    }
    let isWide = bytes[bytes.startIndex + 6] >= 2
    guard (1...3).contains(bytes[bytes.startIndex + 6]) else {
      throw CompileError(
        .malformed, "is a NumPy array of format version \(bytes[bytes.startIndex + 6])")
    }
    let start = isWide ? 12 : 10
    guard bytes.count >= start else { throw CompileError(.malformed, "ends within its header") }
    let length = (8..<start).reversed().reduce(0) { $0 << 8 | Int(bytes[bytes.startIndex + $1]) }
    guard length <= bytes.count - start else {
      throw CompileError(.malformed, "ends within its header of \(length) bytes")
    }
    let text = bytes.dropFirst(start).prefix(length)
    let header = String(decoding: text, as: UTF8.self)
    let description = try field("descr", of: header)
    let (type, isSwapped) = try elementType(description)
    let isFortran = try field("fortran_order", of: header)
    guard ["True", "False"].contains(isFortran) else {
      throw CompileError(.malformed, "has a fortran_order of \(isFortran)")
    }
    let shape = try shape(try field("shape", of: header))
    let elementBytes = byteCount - start - length
    guard let count = shape.checkedElementCount, type.byteCount(of: count) == elementBytes else {
      throw CompileError(
        .malformed, "has \(elementBytes) bytes of elements for shape \(shape) of \(type.name)")
    }
    return Layout(
      header: ArrayHeader(elementType: type, shape: shape), start: start + length,
      isSwapped: isSwapped, isFortran: isFortran == "True")
  }

  /// Layout of the array in a file.
  struct Layout {
    let header: ArrayHeader
    /// The byte at which the elements begin.
    let start: Int
    /// Whether the bytes of every element come in the other order.
    let isSwapped: Bool
    /// Whether the first axis is the one whose elements lie next to each other.
    let isFortran: Bool

    /// The tensor of as many elements as `shape` has.
    func tensor(_ elements: Data, shape: [Int]) -> Tensor {
      let type = header.elementType
      let storage = TensorStorage(byteCount: elements.count) { target in
        _ = elements.copyBytes(to: target)
        if isSwapped { NumPyFormat.reverse(target, width: type.bitWidth / 8) }
      }
      guard isFortran else { return Tensor(type, shape: shape, storage: storage) }
      let reversed = Tensor(type, shape: shape.reversed(), storage: storage)
      return reversed.transposed(Array(shape.indices.reversed()))
    }
  }

  /// The type that a description such as `<f4` stands for, and whether its bytes come in the other order.
  private static func elementType(
    _ description: String
  ) throws(CompileError) -> (type: ElementType, isSwapped: Bool) {
    for (known, type) in types {
      if description == "'\(known)'" { return (type, false) }
      if known.hasPrefix("<"), description == "'>\(known.dropFirst())'" { return (type, true) }
    }
    guard !description.hasPrefix("[") else {
      throw CompileError(.malformed, "has elements of several fields, not numbers")
    }
    throw CompileError(
      .malformed, "has elements of type \(description), not numbers that ONNX knows")
  }

  /// Reverses the bytes of every element.
  fileprivate static func reverse(_ bytes: UnsafeMutableRawBufferPointer, width: Int) {
    for start in stride(from: 0, to: bytes.count, by: max(1, width)) {
      bytes[start..<(start + width)].reverse()
    }
  }

  /// The text after a key, up to the comma that ends it.
  private static func field(_ key: String, of header: String) throws(CompileError) -> String {
    guard let range = header.range(of: "'\(key)':") else {
      throw CompileError(.malformed, "has no '\(key)' in its header")
    }
    var text = ""
    var depth = 0
    for character in header[range.upperBound...] {
      if "([".contains(character) { depth += 1 }
      if ")]".contains(character) { depth -= 1 }
      if depth == 0, character == "," || character == "}" { break }
      text.append(character)
    }
    return text.trimmingCharacters(in: .whitespaces)
  }

  private static func shape(_ text: String) throws(CompileError) -> [Int] {
    let inner = text.dropFirst().dropLast()
    guard text.hasPrefix("("), text.hasSuffix(")") else {
      throw CompileError(.malformed, "has a shape of \(text)")
    }
    var shape: [Int] = []
    for part in inner.split(separator: ",") {
      guard let extent = Int(part.trimmingCharacters(in: .whitespaces)), extent >= 0 else {
        throw CompileError(.malformed, "has a shape of \(text)")
      }
      shape.append(extent)
    }
    guard shape.count <= 64 else {
      throw CompileError(.malformed, "has \(shape.count) axes")
    }
    return shape
  }

  /// The bytes of a file with `tensor`. Types that NumPy lacks become float32.
  static func bytes(of tensor: Tensor) throws(CompileError) -> Data {
    try MemoryLimit.ask(tensor.byteCount, for: "the bytes of a file")
    var tensor = tensor.contiguous
    if tensor.elementType == .bfloat16 { tensor = Tensor(tensor.floats, shape: tensor.shape) }
    guard let known = types.first(where: { $0.type == tensor.elementType }) else {
      throw CompileError(
        .unsupported, "elements of type \(tensor.elementType.name) cannot be written for NumPy")
    }
    let extents = tensor.shape.map { "\($0)," }.joined(separator: " ")
    var header =
      "{'descr': '\(known.description)', 'fortran_order': False, 'shape': (\(extents)), }"
    // The elements begin at a multiple of 64.
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    var data = Data(magic + [1, 0, UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)])
    data.append(Data(header.utf8))
    tensor.withUnsafeBytes { data.append(contentsOf: $0) }
    return data
  }
}
