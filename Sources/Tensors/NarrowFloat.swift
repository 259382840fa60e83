import Glibc

/// A binary floating point format of eight bits or less: a sign, an exponent and a fraction.
///
/// E4M3 and E5M2 are those of the Open Compute Project's "8-bit Floating Point Specification (OFP8)"; with
/// UZ, those of Noune et al., "8-bit Numerical Formats for Deep Neural Networks" (2022); E2M1 is that of
/// "OCP Microscaling Formats (MX)".
struct NarrowFloat {
  /// Patterns that are no finite numbers.
  private enum Specials {
    /// The greatest exponent: infinity, and NaN with a fraction.
    case infinities
    /// All ones, of either sign, are NaN.
    case greatest
    /// The pattern of -0 is NaN.
    case negativeZero
    case none
  }

  private let exponentBits: Int
  private let fractionBits: Int
  private let bias: Int
  private let specials: Specials

  private init(exponent: Int, fraction: Int, bias: Int, _ specials: Specials) {
    (exponentBits, fractionBits, self.bias) = (exponent, fraction, bias)
    self.specials = specials
  }

  /// The format of an element type, if it has one of these.
  init?(_ type: ElementType) {
    switch type {
    case .float8E4M3FN: self.init(exponent: 4, fraction: 3, bias: 7, .greatest)
    case .float8E4M3FNUZ: self.init(exponent: 4, fraction: 3, bias: 8, .negativeZero)
    case .float8E5M2: self.init(exponent: 5, fraction: 2, bias: 15, .infinities)
    case .float8E5M2FNUZ: self.init(exponent: 5, fraction: 2, bias: 16, .negativeZero)
    case .float4E2M1: self.init(exponent: 2, fraction: 1, bias: 1, .none)
    default: return nil
    }
  }

  private var sign: Int { 1 << (exponentBits + fractionBits) }
  private var infinity: Int { sign - (1 << fractionBits) }

  /// The pattern of the greatest number.
  private var greatest: Int {
    switch specials {
    case .infinities: infinity - 1
    case .greatest: sign - 2
    case .negativeZero, .none: sign - 1
    }
  }

  /// The number that a pattern stands for.
  func number(_ pattern: Int) -> Float {
    let magnitude = pattern & (sign - 1)
    let isNegative = pattern & sign != 0
    if specials == .negativeZero, pattern == sign { return .nan }
    if magnitude > greatest {
      return specials == .infinities && magnitude == infinity
        ? (isNegative ? -.infinity : .infinity) : .nan
    }
    let (exponent, fraction) = (magnitude >> fractionBits, magnitude & ((1 << fractionBits) - 1))
    let digits = exponent == 0 ? fraction : fraction + (1 << fractionBits)
    let value = scalbn(Float(digits), max(exponent, 1) - bias - fractionBits)
    return isNegative ? -value : value
  }

  /// The pattern of the number nearest to `value`, halves going to the even one. What is beyond the greatest
  /// number, infinity too, becomes that if it `saturates`, and else infinity or NaN, as the format has them.
  func pattern(_ value: Double, saturates: Bool) -> Int {
    let isNegative = value.sign == .minus
    guard !value.isNaN else { return nan(isNegative) }
    var magnitude = greatest + 1
    if value.isFinite {
      // The least exponent is that of the numbers without a leading one.
      let exponent = value == 0 ? 1 - bias : max(Int(value.exponent), 1 - bias)
      let digits = scalbn(abs(value), fractionBits - exponent).rounded(.toNearestOrEven)
      // Digits that have become one more carry into the exponent.
      if exponent - 1 + bias <= 1 << exponentBits {
        magnitude = Int(digits) + ((exponent - 1 + bias) << fractionBits)
      }
    }
    if magnitude > greatest {
      guard saturates || specials == .none else {
        return specials == .infinities ? (isNegative ? sign | infinity : infinity) : nan(isNegative)
      }
      magnitude = greatest
    }
    if magnitude == 0, specials == .negativeZero { return 0 }
    return isNegative ? sign | magnitude : magnitude
  }

  private func nan(_ isNegative: Bool) -> Int {
    switch specials {
    case .infinities: (isNegative ? sign : 0) | infinity | 1 << (fractionBits - 1)
    case .greatest: (isNegative ? sign : 0) | (sign - 1)
    case .negativeZero: sign
    // There is none; onnx's reference gives -0.
    case .none: sign
    }
  }
}

extension Tensor {
  /// The elements of a type with a `NarrowFloat`.
  var narrowFloats: [Float] {
    guard hasData, let format = NarrowFloat(elementType) else { return [] }
    let numbers = (0..<(1 << elementType.bitWidth)).map(format.number)
    guard elementType.bitWidth == 8 else { return packedIntegers.map { numbers[$0] } }
    return array(of: UInt8.self).map { numbers[Int($0)] }
  }

  /// A tensor of a narrow floating point type with the elements nearest to `values`. What is out of its
  /// range becomes the greatest number if it `saturates`, and else infinite or NaN.
  public init(
    narrowing values: [Double], to elementType: ElementType, saturates: Bool, shape: [Int]
  ) {
    guard let format = NarrowFloat(elementType) else {
      preconditionFailure("\(elementType) is no narrow floating point type")
    }
    let patterns = values.map { format.pattern($0, saturates: saturates) }
    if elementType.bitWidth == 8 {
      self.init(elementType, shape: shape, elements: patterns.map { UInt8($0) })
    } else {
      self.init(packing: patterns, to: elementType, shape: shape)
    }
  }
}
