import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// What evaluation has done inside loops: a few bytes of a model could otherwise ask for any amount.
package struct EvaluationEffort {
  /// The effort of one node or iteration, in multiply-accumulate operations.
  static let step = 1 << 13
  /// The effort of an element made.
  private static let element = 1 << 6
  /// About a minute, and never more than a gigabyte that iterations leave behind.
  package static let greatest = 1 << 34

  private let limit: Int
  private var spent = 0

  package init(limit: Int = greatest) { self.limit = min(limit, Self.greatest) }

  mutating func spend(_ amount: Int, at location: Location) throws(CompileError) {
    let (sum, overflow) = spent.addingReportingOverflow(amount)
    guard !overflow, sum <= limit else {
      throw CompileError(.unsupported, "takes too long to evaluate", at: location)
    }
    spent = sum
  }

  /// Counts a node about to be run.
  mutating func spend(
    on results: [ValueFacts], macs: Int, at location: Location
  ) throws(CompileError) {
    try spend(Self.step, at: location)
    try spend(max(0, macs), at: location)
    for result in results {
      let count = result.fixedShape.map { $0.checkedElementCount ?? .max } ?? 0
      try spend(min(count, Self.greatest) * Self.element, at: location)
    }
  }

  mutating func spend(on tensors: [Tensor], at location: Location) throws(CompileError) {
    for tensor in tensors {
      try spend(min(tensor.count, Self.greatest) * Self.element, at: location)
    }
  }
}
