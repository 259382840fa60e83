/// The ways between numbers and the narrow integers that stand for them.
let quantizationOperators: [any Operator] = [
  DequantizeLinear(), DequantizeLinear(domain: Signature.runtimeDomain),
  DynamicQuantizeLinear(),
  QuantizeLinear(), QuantizeLinear(domain: Signature.runtimeDomain),
]
