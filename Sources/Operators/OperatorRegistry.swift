import PrunecGraphIR

/// Every operator that prunec understands, by name and operator set version.
package enum OperatorRegistry {
  /// All operators. The one list of them.
  package static let all: [any Operator] = [
    attentionOperators,
    classicalOperators,
    constantOperators,
    controlFlowOperators,
    convolutionOperators,
    elementwiseOperators,
    indexingOperators,
    layoutOperators,
    linearOperators,
    maskingOperators,
    normalizationOperators,
    poolingOperators,
    quantizationOperators,
    recurrentOperators,
    reductionOperators,
    resamplingOperators,
    signalOperators,
  ].flatMap { $0 }

  private static let byName: [OperationName: [any Operator]] = Dictionary(
    grouping: all, by: { $0.signature.operation })

  /// The operator called `name` in version `opset` of its domain, if prunec understands it.
  package static func find(_ name: OperationName, opset: Int) -> (any Operator)? {
    let name = OperationName(name.type, domain: name.domain)
    return byName[name]?.first { $0.signature.opsets.contains(opset) }
  }
}
