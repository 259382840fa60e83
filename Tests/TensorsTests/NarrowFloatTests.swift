import PrunecTensors
import Testing

/// Floating point numbers of eight bits and less; onnx's backend tests hold them against its own.
@Suite struct NarrowFloatTests {
  private static let types: [ElementType] = [
    .float8E4M3FN, .float8E4M3FNUZ, .float8E5M2, .float8E5M2FNUZ, .float4E2M1,
  ]

  /// Every number but NaN and -0 is the nearest to itself.
  @Test(arguments: types) func numbersStayWhatTheyAre(type: ElementType) {
    let patterns = Array(0..<(1 << type.bitWidth))
    let all =
      type.bitWidth == 8
      ? Tensor(type, shape: [256], elements: patterns.map { UInt8($0) })
      : Tensor(packing: patterns, to: type, shape: [16])
    let numbers = all.floats
    #expect(numbers.count == patterns.count)
    let again = Tensor(
      narrowing: numbers.map(Double.init), to: type, saturates: false, shape: all.shape)
    for (a, b) in zip(numbers, again.floats) { #expect(a == b || a.isNaN && b.isNaN) }
  }

  @Test func greatestNumbers() {
    let limits: [(ElementType, Float, isInfinite: Bool)] = [
      (.float8E4M3FN, 448, false), (.float8E4M3FNUZ, 240, false), (.float8E5M2, 57344, true),
      (.float8E5M2FNUZ, 57344, false),
    ]
    for (type, limit, isInfinite) in limits {
      let values = [1e9, -1e9, .infinity, .nan, -0.0, 1e-12, Double(limit)]
      let held = Tensor(narrowing: values, to: type, saturates: true, shape: [7]).floats
      #expect(held[..<3] == [limit, -limit, limit])
      #expect(held[3].isNaN)
      #expect(held[4...] == [0, 0, limit])
      let lost = Tensor(narrowing: values, to: type, saturates: false, shape: [7]).floats
      #expect(
        isInfinite ? lost[0] == .infinity && lost[1] == -.infinity : lost[..<3].allSatisfy(\.isNaN))
      #expect(lost[6] == limit)
    }
    #expect(
      Tensor(narrowing: [9, -9], to: .float4E2M1, saturates: false, shape: [2]).floats == [6, -6])
  }

  @Test func halvesGoToTheEvenOne() {
    let values = [1.0625, 1.1875, 1.9375, 0.001, 0.0009765625]
    let rounded = Tensor(narrowing: values, to: .float8E4M3FN, saturates: true, shape: [5])
    #expect(rounded.floats == [1, 1.25, 2, 0.001953125, 0])
  }
}
