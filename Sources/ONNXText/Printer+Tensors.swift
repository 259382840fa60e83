import PrunecTensors

extension Printer {
  /// The elements of a tensor that has data.
  mutating func write(_ tensor: Tensor) {
    if let limit = options.elementLimit, tensor.count > limit {
      text += "{...}"
      return
    }
    text += "{"
    writeElements(of: tensor)
    text += "}"
  }

  private mutating func writeElements(of tensor: Tensor) {
    switch tensor.elementType {
    case .float32, .complex64: writeAll(floats(tensor, as: Float.self)) { $0.write($1) }
    case .float64, .complex128: writeAll(floats(tensor, as: Double.self)) { $0.write($1) }
    case .int8: writeIntegers(tensor, as: Int8.self)
    case .int16: writeIntegers(tensor, as: Int16.self)
    case .int32: writeIntegers(tensor, as: Int32.self)
    case .int64: writeIntegers(tensor, as: Int64.self)
    case .uint8, .bool, .float8E4M3FN, .float8E4M3FNUZ, .float8E5M2, .float8E5M2FNUZ, .float8E8M0:
      writeIntegers(tensor, as: UInt8.self)
    case .uint16: writeIntegers(tensor, as: UInt16.self)
    case .uint32: writeIntegers(tensor, as: UInt32.self)
    case .uint64: writeIntegers(tensor, as: UInt64.self)
    case .float16, .bfloat16:
      if options.printPatterns {
        writeIntegers(tensor, as: UInt16.self)
      } else if tensor.elementType == .float16 {
        writeAll(tensor.array(of: Float16.self)) { $0.write($1) }
      } else {
        writeAll(tensor.floats) { $0.write($1) }
      }
    case .string: writeAll(tensor.strings ?? []) { $0.text += quoted($1) }
    case .uint2, .uint4, .int2, .int4, .float4E2M1:
      if options.printPatterns {
        writeAll(tensor.withUnsafeBytes { Array($0) }) { $0.text += "\($1)" }
      } else {
        let isSigned = tensor.elementType == .int2 || tensor.elementType == .int4
        let half = 1 << (tensor.elementType.bitWidth - 1)
        writeAll(unpacked(tensor).map(Int.init)) {
          $0.text += "\(isSigned && $1 >= half ? $1 - 2 * half : $1)"
        }
      }
    case .float6E2M3, .float6E3M2: writeAll(unpacked(tensor)) { $0.text += "\($1)" }
    }
  }

  /// The elements, or the parts of complex ones.
  private func floats<Element: BitwiseCopyable>(_ tensor: Tensor, as _: Element.Type) -> [Element] {
    tensor.withUnsafeBytes { bytes in
      let size = MemoryLayout<Element>.size
      return (0..<(bytes.count / size)).map {
        bytes.loadUnaligned(fromByteOffset: $0 * size, as: Element.self)
      }
    }
  }

  private mutating func writeIntegers<Element: FixedWidthInteger & BitwiseCopyable>(
    _ tensor: Tensor, as type: Element.Type
  ) {
    writeAll(tensor.array(of: type)) { $0.text += "\($1)" }
  }

  private mutating func writeAll<Element>(
    _ elements: [Element], _ write: (inout Printer, Element) -> Void
  ) {
    for (index, element) in elements.enumerated() {
      if index > 0 { text += ", " }
      write(&self, element)
    }
  }

  /// The shortest decimal that reads back as the same number. Always with a point, an exponent or a
  /// word, which is what makes it a float rather than an integer or a bit pattern.
  mutating func write<Number: BinaryFloatingPoint & CustomStringConvertible>(_ value: Number) {
    if value.isNaN {
      text += value.sign == .minus ? "-nan" : "nan"
    } else {
      text += value.description
    }
  }
}
