/// The form of an operator: what it is called, what it takes and gives, and since when.
public struct Signature: Sendable {
  public let operation: OperationName
  /// The operator set versions for which the operator's file is right.
  public let opsets: ClosedRange<Int>
  /// Least and greatest number of operands.
  public let operands: ClosedRange<Int>
  /// Least and greatest number of results.
  public let results: ClosedRange<Int>
  /// Every attribute, with its default where the standard has a constant one.
  public let attributes: [String: Attribute.Value?]

  /// The operator set of onnxruntime's own operators.
  static let runtimeDomain = "com.microsoft"

  public init(
    _ type: String, domain: String = "", opsets: ClosedRange<Int> = 7...28,
    operands: ClosedRange<Int>, results: ClosedRange<Int> = 1...1,
    attributes: [String: Attribute.Value?] = [:]
  ) {
    operation = OperationName(type, domain: domain)
    self.opsets = opsets
    self.operands = operands
    self.results = results
    self.attributes = attributes
  }
}
