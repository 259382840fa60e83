import Glibc
import PrunecGraphIR
import PrunecTensors

/// The discrete Fourier transform of so many numbers, by Cooley and Tukey's division ("An algorithm for the machine
/// calculation of complex Fourier series", 1965) into transforms of the prime factors of the length.
struct FourierTransform {
  /// Real and imaginary part.
  typealias Complex = SIMD2<Double>

  private let length: Int
  /// The prime factors of the length, in increasing order.
  private let factors: [Int]
  /// `exp(-2 pi i k / length)`, or their conjugates for the inverse.
  private let roots: [Complex]
  private let scale: Double

  /// The transform, or its inverse. Throws an unsupported error where `count` of them would take too long.
  init(
    length: Int, isInverse: Bool, count: Int, _ call: Invocation
  ) throws(CompileError) {
    var (rest, divisor) = (length, 2)
    var factors: [Int] = []
    while rest > 1 {
      if divisor * divisor > rest { divisor = rest }
      if rest % divisor == 0 {
        factors.append(divisor)
        rest /= divisor
      } else {
        divisor += 1
      }
    }
    let steps = [length, factors.reduce(1, +), max(count, 1)].checkedElementCount
    guard let steps, steps < 1 << 34 else {
      throw call.unsupported("a Fourier transform of \(length) elements takes too long")
    }
    self.length = length
    self.factors = factors
    let turn = (isInverse ? 2 : -2) * Double.pi / Double(max(length, 1))
    roots = (0..<length).map { Complex(cos(turn * Double($0)), sin(turn * Double($0))) }
    scale = isInverse ? 1 / Double(max(length, 1)) : 1
  }

  func callAsFunction(_ signal: [Complex]) -> [Complex] {
    transform(signal, start: 0, step: 1, factors[...]).map { $0 * scale }
  }

  /// The transform of every `step`th number from `start` on, whose count has the given factors.
  private func transform(
    _ signal: [Complex], start: Int, step: Int, _ factors: ArraySlice<Int>
  ) -> [Complex] {
    guard let factor = factors.first else { return signal.isEmpty ? [] : [signal[start]] }
    let parts = (0..<factor).map {
      transform(signal, start: start + $0 * step, step: step * factor, factors.dropFirst())
    }
    let size = parts[0].count
    return (0..<(factor * size)).map { index in
      var sum = Complex.zero
      for (number, part) in parts.enumerated() {
        let root = roots[number * index * step % length]
        let element = part[index % size]
        sum += Complex(
          element.x * root.x - element.y * root.y, element.x * root.y + element.y * root.x)
      }
      return sum
    }
  }
}
