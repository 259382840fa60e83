import PrunecGraphIR

/// The equation of an Einsum, such as `bhqd,bhkd->bhqk`: a name for every axis of the operands and of
/// the result.
struct EinsumEquation {
  enum Label: Hashable {
    case named(Character)
    /// An axis that an ellipsis stands for, counted from the last of them: those broadcast.
    case broadcast(Int)
  }

  /// The names of one operand's or the result's axes; where there is an ellipsis, those before and
  /// after it.
  private struct Term {
    var front: [Character] = []
    var back: [Character] = []
    var hasEllipsis = false

    var names: [Character] { front + back }

    /// The labels of the axes when the ellipsis stands for `count` axes.
    func labels(ellipsis count: Int) -> [Label] {
      front.map(Label.named) + (0..<count).reversed().map(Label.broadcast)
        + back.map(Label.named)
    }
  }

  private let operands: [Term]
  private let result: Term

  /// Reads an equation for `operandCount` operands.
  init(_ call: Invocation) throws(CompileError) {
    guard let text = call.string("equation") else {
      throw call.malformed("'equation' must be a string")
    }
    let sides = text.filter { $0 != " " }.split(separator: "->", omittingEmptySubsequences: false)
    guard sides.count <= 2 else { throw call.malformed("the equation has several arrows") }
    var terms: [Term] = []
    for part in sides[0].split(separator: ",", omittingEmptySubsequences: false) {
      terms.append(try Self.term(part, call))
    }
    guard terms.count == call.operands.count else {
      throw call.malformed("the equation is for \(terms.count) operands")
    }
    operands = terms
    guard sides.count == 2 else {
      result = Self.implicitResult(of: terms)
      return
    }
    let given = try Self.term(sides[1], call)
    guard Set(given.names).count == given.names.count,
      Set(given.names).isSubset(of: terms.flatMap(\.names))
    else { throw call.malformed("the equation's result names an axis twice, or a new one") }
    result = given
  }

  private static func term(
    _ text: Substring, _ call: Invocation
  ) throws(CompileError) -> Term {
    let parts = text.split(separator: "...", omittingEmptySubsequences: false)
    let names = parts.joined()
    guard parts.count <= 2, names.allSatisfy({ $0.isASCII && $0.isLetter }), names.count <= 64
    else {
      throw call.malformed("the equation's part '\(text.prefix(80))' is not letters")
    }
    return Term(
      front: Array(parts.first ?? ""), back: Array(parts.dropFirst().first ?? ""),
      hasEllipsis: parts.count == 2)
  }

  /// Without an arrow, the result has every name that occurs once, in order.
  private static func implicitResult(of terms: [Term]) -> Term {
    var counts: [Character: Int] = [:]
    for name in terms.flatMap(\.names) { counts[name, default: 0] += 1 }
    let once = counts.filter { $0.value == 1 }.keys.sorted()
    return Term(back: once, hasEllipsis: terms.contains(where: \.hasEllipsis))
  }

  /// The names of all axes, for operands of known ranks.
  struct Labels {
    var operands: [[Label]]
    var result: [Label]
  }

  /// The labels for operands of `ranks`; `nil` where a rank that matters is not known, or axes under an
  /// ellipsis have no place in the result.
  func labels(ranks: [Int?], _ call: Invocation) throws(CompileError) -> Labels? {
    var labels: [[Label]] = []
    var broadcastCount = 0
    for (index, term) in operands.enumerated() {
      let rank = ranks[index] ?? term.names.count
      guard term.hasEllipsis ? rank >= term.names.count : rank == term.names.count else {
        throw call.malformed("operand \(index) has \(rank) axes, which the equation does not fit")
      }
      if term.hasEllipsis, ranks[index] == nil { return nil }
      broadcastCount = max(broadcastCount, rank - term.names.count)
      labels.append(term.labels(ellipsis: rank - term.names.count))
    }
    guard result.hasEllipsis || broadcastCount == 0 else { return nil }
    return Labels(operands: labels, result: result.labels(ellipsis: broadcastCount))
  }
}
