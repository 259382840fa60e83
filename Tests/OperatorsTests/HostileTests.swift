import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

/// Numbers as a hostile file would hold them, given to every operator: whatever it answers, it must
/// not trap. Seeded, so that a failure comes again.
@Suite struct HostileTests {
  private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state >> 33) ^ (state << 31)
    }
  }

  private static let integers = [
    Int.min, Int.min + 1, -(1 << 32), -3, -2, -1, 0, 1, 2, 3, 4, 7, 1 << 31, 1 << 33, 1 << 62,
    Int.max,
  ]

  /// Small numbers mostly, so that some nodes get past the first check.
  private func number(_ random: inout Generator) -> Int {
    Int.random(in: 0..<8, using: &random) == 0
      ? Self.integers.randomElement(using: &random)! : Int.random(in: -1...4, using: &random)
  }

  /// A tensor that goes together with others: all of one extent, of `rank` axes or one.
  private func tamedOperand(_ rank: Int, _ extent: Int, _ random: inout Generator) -> ValueFacts {
    let shape = [Int](
      repeating: extent, count: Int.random(in: 0..<3, using: &random) == 0 ? 1 : rank)
    let elements = (0..<shape.elementCount).map { _ in Float.random(in: -9...9, using: &random) }
    return ValueFacts(constant: Tensor(elements, shape: shape))
  }

  /// An attribute of the right kind, most likely with possible values.
  private func tamedAttribute(
    _ name: String, like declared: Attribute.Value?, _ rank: Int, _ random: inout Generator
  ) -> Attribute {
    switch declared {
    case .int?: return Attribute(name, Int.random(in: 0...2, using: &random))
    case .float?: return Attribute(name, .float(0.5))
    case .string?:
      let words = ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", "zero", "moments"]
      return Attribute(name, words.randomElement(using: &random)!)
    default:
      if Int.random(in: 0..<4, using: &random) == 0 {
        return Attribute(name, Int.random(in: 0...2, using: &random))
      }
      let count = name == "pads" ? 2 * (rank - 2) : rank - 2
      let values = (0..<max(0, count)).map { _ in Int.random(in: 1...2, using: &random) }
      return Attribute(name, values)
    }
  }

  private func operand(_ random: inout Generator) -> ValueFacts? {
    let rank = Int.random(in: 0...5, using: &random)
    let small = (0..<rank).map { _ in Int.random(in: 0...3, using: &random) }
    switch Int.random(in: 0..<12, using: &random) {
    case 0: return nil
    case 1: return ValueFacts(.float32, nil)
    case 2: return .unknown
    case 3:
      return ValueFacts(
        .float32, (0..<rank).map { _ in Dimension(.fixed(max(0, number(&random)))) })
    case 4:
      return ValueFacts(
        .int64, (0..<rank).map { $0 % 2 == 0 ? .unknown : .symbol("n") })
    case 5:
      return ValueFacts(constant: Tensor(zeros: .float16, shape: small))
    case 6: return ValueFacts(constant: Tensor(zeros: .bool, shape: small))
    case 7, 8:
      let count = Int.random(in: 0...3, using: &random)
      return ValueFacts(constant: Tensor((0..<count).map { _ in number(&random) }))
    default:
      let elements = (0..<small.elementCount).map { _ in Float.random(in: -9...9, using: &random) }
      return ValueFacts(constant: Tensor(elements, shape: small))
    }
  }

  private func attribute(
    _ name: String, like declared: Attribute.Value?, _ random: inout Generator
  ) -> Attribute {
    let values = (0..<Int.random(in: 0...4, using: &random)).map { _ in Int64(number(&random)) }
    switch Int.random(in: 0..<6, using: &random) {
    case 0: return Attribute(name, .string(Array("SAME_UPPER".utf8)))
    case 1: return Attribute(name, .ints(values))
    case 2: return Attribute(name, .int(Int64(number(&random))))
    case 3: return Attribute(name, .float(Float(number(&random))))
    default:
      switch declared {
      case .int?: return Attribute(name, number(&random))
      case .float?: return Attribute(name, .float(.nan))
      case .string?: return Attribute(name, "VALID")
      default: return Attribute(name, .ints(values))
      }
    }
  }

  @Test(arguments: OperatorRegistry.all.indices)
  func nothingTraps(index: Int) {
    let subject = OperatorRegistry.all[index]
    var random = Generator(state: UInt64(index))
    let names = subject.signature.attributes.keys.sorted()
    for iteration in 0..<1000 {
      // Every other node is possible but for a detail now and then, so that evaluation is reached.
      let isTame = iteration % 2 == 0
      let rank = Int.random(in: 2...5, using: &random)
      let extent = Int.random(in: 0...3, using: &random)
      var attributes: [Attribute] = []
      for name in names where Int.random(in: 0..<3, using: &random) > 0 {
        let declared = subject.signature.attributes[name] ?? nil
        attributes.append(
          isTame && Int.random(in: 0..<16, using: &random) > 0
            ? tamedAttribute(name, like: declared, rank, &random)
            : attribute(name, like: declared, &random))
      }
      var operands: [ValueFacts?] = []
      for _ in 0..<Int.random(in: subject.signature.operands.clamped(to: 0...6), using: &random) {
        if isTame, Int.random(in: 0..<16, using: &random) > 0 {
          operands.append(tamedOperand(rank, extent, &random))
          continue
        }
        // Operands alike now and then, so that they go together.
        let twin = operands.last ?? nil
        operands.append(
          twin != nil && Int.random(in: 0..<3, using: &random) == 0 ? twin : operand(&random))
      }
      var call = Invocation(
        signature: subject.signature,
        opset: Int.random(in: subject.signature.opsets, using: &random), attributes: attributes,
        operands: operands,
        results: [ValueFacts](
          repeating: .unknown,
          count: Int.random(in: subject.signature.results.clamped(to: 1...4), using: &random)),
        location: .node(name: "node", operation: subject.signature.operation.type))
      guard let results = try? subject.inferFacts(call) else { continue }
      let tensors = operands.map { $0?.constant }
      if zip(tensors, operands).allSatisfy({ ($0 == nil) == ($1 == nil) }) {
        _ = try? subject.evaluate(call, tensors)
      }
      call.results = Array(results.prefix(call.results.count))
      var relations = Relations()
      subject.relate(call, &relations)
      for relation in relations.list { #expect(call.contradiction(of: relation) == nil) }
      _ = subject.macs(call)
    }
  }
}
