import PrunecGraphIR
import PrunecOperators
import PrunecPassKit
import PrunecSemantics

/// Replaces declared types that inference contradicts.
///
///     float[8] y = Conv(x, w)   =>   float[N,64,28,28] y = Conv(x, w)
///
/// Exporters and tools leave stale shapes behind, in the signature too, and onnx's checker refuses them
/// under `full_check`. Types that say less than inference knows stay as they are; `infer-shapes` fills
/// them.
package struct CorrectTypes: Pass {
  package static let name = "correct-types"
  package static let summary = "replace declared types that inference contradicts"
  package static let effect = Effect.preserving(tolerance: 0)

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let facts = try context.facts(of: graph)
    for id in graph.valueIDs where graph.value(id)?.definingNode != nil {
      guard let declared = graph[id].tensorType, let inferred = facts[id].type,
        inferred.contradicts(declared)
      else { continue }
      graph.setType(of: id, to: ValueType(.tensor(inferred)))
    }
    for (index, output) in graph.outputs.enumerated() {
      guard let declared = output.declaredType?.tensorType,
        let inferred = facts[output.value].type, inferred.contradicts(declared)
      else { continue }
      graph.setDeclaredType(ofOutput: index, to: ValueType(.tensor(inferred)))
    }
  }
}

extension TensorType {
  /// Whether no tensor can be of both types.
  fileprivate func contradicts(_ declared: TensorType) -> Bool {
    if let own = elementType, let other = declared.elementType, own != other { return true }
    guard let own = shape, let other = declared.shape else { return false }
    guard own.count == other.count else { return true }
    return zip(own, other).contains { own, other in
      switch (own.extent, other.extent) {
      case (.fixed(let a), .fixed(let b)): a != b
      case (.symbol, .fixed): true
      default: false
      }
    }
  }
}
