import PrunecGraphIR

/// The form of an operator: what it is called, what it takes and gives, and since when.
package struct Signature: Sendable {
  package let operation: OperationName
  /// The operator set versions for which the operator's file is right.
  package let opsets: ClosedRange<Int>
  /// Least and greatest number of operands.
  package let operands: ClosedRange<Int>
  /// Least and greatest number of results.
  package let results: ClosedRange<Int>
  /// Every attribute, with its default where the standard has a constant one.
  package let attributes: [String: Attribute.Value?]

  /// The operator set of onnxruntime's own operators.
  static let runtimeDomain = "com.microsoft"
  /// The operator set of ONNX's classical machine learning.
  static let classicalDomain = "ai.onnx.ml"

  package init(
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
