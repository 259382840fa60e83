import PrunecGraphIR
import PrunecRuntime
import PrunecSelection
import PrunecSemantics

/// Outcome of a budget of memory: sizes of arenas for the activations, in bytes.
public struct MemoryReport: Sendable, Encodable {
  public let beforeBytes: Int
  public let afterBytes: Int
  public let targetBytes: Int

  private enum CodingKeys: String, CodingKey {
    case beforeBytes = "before_bytes"
    case afterBytes = "after_bytes"
    case targetBytes = "target_bytes"
  }
}

/// Meets a budget of memory for activations: the arena of prunec's runtime on one thread.
///
/// The use at each node follows from the lifetimes of values. The runtime's plan at some widths corrects it for workspace, fusion
/// and places in the arena. Channels are chosen by this estimate; the model that comes out is planned; the new plan corrects the
/// next choice. Where that does not lead to the target, channels are given back to all groups alike.
package struct MemoryBudget {
  /// Bytes of an arena, and those in use while each node runs.
  package typealias Use = (arena: Int, ofNode: [NodeID: Int])

  private let selection: ChannelSelection
  private let target: MemoryTarget
  private let scope: Scope
  /// Arena of the original, in bytes.
  private let before: Int
  /// Use of the model when group i keeps `kept[i]` channels.
  private let use: (_ kept: [Int]) throws(CompileError) -> Use

  package init(
    _ selection: ChannelSelection, _ target: MemoryTarget, scope: Scope, before: Int,
    use: @escaping (_ kept: [Int]) throws(CompileError) -> Use
  ) {
    (self.selection, self.target, self.scope) = (selection, target, scope)
    (self.before, self.use) = (before, use)
  }

  private static let attempts = 8
  /// No more is looked for where so much of the target is used.
  private static let enough = 0.97
  /// Factor by which the limit of the choice is lowered where the plan needs more.
  private static let step = 0.98

  private typealias Choice = (kept: [Int], size: Int)

  /// The channels to remove. Throws a failed check that says how far it can go, where the budget cannot be met.
  package func removed() throws(CompileError) -> (channels: [Int: Set<Int>], report: MemoryReport) {
    let limit =
      switch target {
      case .fraction(let fraction): Int(fraction * Double(before))
      case .bytes(let bytes): bytes
      }
    let most = selection.mostCounts
    let whole = try use(most)
    var best: Choice = (most, whole.arena)
    if whole.arena > limit {
      if let found = try searched(whole, limit) {
        best = found
      } else {
        let least = selection.leastCounts
        best = (least, try use(least).arena)
        guard best.size <= limit else { throw unreachable(best.size, limit) }
        best = try givenBack(to: best, limit)
      }
    }
    return (
      selection.removed(keeping: best.kept),
      MemoryReport(beforeBytes: before, afterBytes: best.size, targetBytes: limit)
    )
  }

  /// The largest of some choices; `nil` where none meets the limit.
  private func searched(_ whole: Use, _ limit: Int) throws(CompileError) -> Choice? {
    var selection = selection
    var (kept, use) = (selection.mostCounts, whole)
    var margin = 1.0
    var best: Choice?
    for _ in 0..<Self.attempts {
      selection.correctMemory(by: use.ofNode, keeping: kept)
      let peak = Double(selection.peakMemory(keeping: kept))
      let aim = margin * Double(limit) * peak / Double(max(1, use.arena))
      guard let next = selection.counts(withinMemory: Int(aim), scope: scope) else { break }
      kept = next
      use = try self.use(kept)
      if use.arena > limit {
        margin *= Self.step
      } else {
        if use.arena > best?.size ?? -1 { best = (kept, use.arena) }
        if Double(use.arena) >= Self.enough * Double(limit) { break }
      }
    }
    return best
  }

  /// The largest of some choices between one that meets the limit and the whole.
  private func givenBack(to start: Choice, _ limit: Int) throws(CompileError) -> Choice {
    var best = start
    var (low, high) = (0.0, 1.0)
    for _ in 0..<Self.attempts {
      let middle = (low + high) / 2
      let kept = selection.counts(ofTheWayFrom: start.kept) { _ in middle }
      let size = try use(kept).arena
      if size <= limit { (low, best) = (middle, (kept, size)) } else { high = middle }
    }
    return best
  }

  private func unreachable(_ least: Int, _ limit: Int) -> CompileError {
    func text(_ bytes: Int) -> String { "\((bytes + 1023) / 1024) KiB" }
    return CompileError(
      .checkFailed,
      "the memory for activations cannot be brought from \(text(before)) to \(text(limit)): "
        + "\(text(least)) is as far as it goes",
      notes: [selection.guardsText])
  }
}

extension Session {
  /// Memory that one thread needs to run `graph` on inputs of `shapes`.
  ///
  /// Throws where the graph cannot be planned, or would take more memory than half of the machine's.
  package static func memoryUse(
    of graph: Graph, _ shapes: InputShapes
  ) throws(CompileError) -> MemoryBudget.Use {
    let inputs = try SeededInputs().tensors(for: graph, shapes: shapes.extents)
    return try Session(graph, threadCount: 1).memoryUse(for: inputs)
  }
}
