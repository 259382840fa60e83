import PrunecGraphIR
import PrunecTensors

/// DynamicQuantizeLinear as QuantizeLinear by a scale that is computed.
extension ExpandedGraph {
  mutating func expandDynamicQuantizeLinear(_ node: NodeID) -> [ValueID?]? {
    let x = graph[node].inputs[0]
    let keepsNoAxes = [Attribute("keepdims", 0)]
    let zero = addConstant(Tensor([0], shape: []), for: node)
    let least = add("Min", [add("ReduceMin", [x], keepsNoAxes, for: node), zero], for: node)
    let greatest = add("Max", [add("ReduceMax", [x], keepsNoAxes, for: node), zero], for: node)
    let steps = addConstant(Tensor([255], shape: []), for: node)
    let range = add("Sub", [greatest, least], for: node)
    let step = add("Div", [range, steps], for: node)
    // Nothing but zeros: any scale does.
    let isZero = add("Equal", [step, zero], for: node)
    let scale = add("Where", [isZero, addOne(for: node), step], for: node)
    let byteZero = addConstant(Tensor(.uint8, shape: [], elements: [UInt8(0)]), for: node)
    let negative = add("Neg", [least], for: node)
    let zeroPoint = add("QuantizeLinear", [negative, scale, byteZero], for: node)
    return [add("QuantizeLinear", [x, scale, zeroPoint], for: node), scale, zeroPoint]
  }
}
