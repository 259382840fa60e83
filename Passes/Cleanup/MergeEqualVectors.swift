import PrunecGraphIR
import PrunecPassKit
import PrunecTensors

/// Stores vectors once that passes have made and that are equal to others.
///
///     h = Gemm(x, W1, b)              h = Gemm(x, W1, b)
///     y = Gemm(h, W2, b_1)       =>   y = Gemm(h, W2, b)
///
/// Copies per layer (`separate-shared-vectors`) and targets of Reshapes are often equal in the end, and the
/// file need not be larger for them.
///
/// Legal where
/// 1. both are constants of the same type, shape and elements, bit by bit, with at most one axis of more than
///    one element, and no caller may replace either;
/// 2. the one that goes is not the original's: what was stored twice under two names stays so.
package struct MergeEqualVectors: Pass {
  package static let name = "merge-equal-vectors"
  package static let summary = "store vectors once that passes have made equal"
  package static let effect = Effect.preserving(tolerance: 0)

  package init(options: inout OptionReader) throws(CompileError) {}

  private struct Content: Hashable {
    let elementType: ElementType
    let shape: [Int]
    let bytes: [UInt8]
  }

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    let vectors = graph.initializers.filter { id in
      !graph[id].isListedAsInput
        && graph[id].constant.map { tensor in
          tensor.hasData && tensor.strings == nil && tensor.shape.count(where: { $0 > 1 }) <= 1
        } ?? false
    }
    let made = vectors.filter { context.original.value($0) == nil }
    guard !made.isEmpty else { return }
    let types = Set(made.map { graph[$0].tensorType })
    // The original's come first, in the order of initializers.
    var first: [Content: ValueID] = [:]
    for id in vectors where types.contains(graph[id].tensorType) {
      let tensor = graph[id].constant!
      let content = Content(
        elementType: tensor.elementType, shape: tensor.shape,
        bytes: tensor.withUnsafeBytes { Array($0) })
      guard let twin = first[content] else {
        first[content] = id
        continue
      }
      guard context.original.value(id) == nil else { continue }
      graph.replaceAllUses(of: id, with: twin)
      graph.eraseInitializer(id)
    }
  }
}
