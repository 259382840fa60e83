import Dispatch
import PrunecRuntime
import Synchronization

/// The results of `transform` for all elements, in their order. Elements are worked on at the same time, as many as there are
/// processors; what is computed for one does not depend on that.
package func concurrentMap<Element: Sendable, Result: Sendable>(
  _ elements: [Element], _ transform: @Sendable (Element) -> Result
) -> [Result] {
  let results = Mutex([Result?](repeating: nil, count: elements.count))
  DispatchQueue.concurrentPerform(iterations: elements.count) { index in
    let result = transform(elements[index])
    results.withLock { $0[index] = result }
  }
  return results.withLock { $0.compactMap { $0 } }
}

/// Calls `body` with parts of `0..<count`, of at least `grain` indices but for the last, at the same time.
package func concurrentParts(
  of count: Int, grain: Int, _ body: @Sendable (Range<Int>) -> Void
) {
  guard count > 0 else { return }
  let parts = max(1, min(count / max(1, grain), 4 * Session.processorCount))
  let length = (count + parts - 1) / parts
  DispatchQueue.concurrentPerform(iterations: (count + length - 1) / length) { part in
    body((part * length)..<min((part + 1) * length, count))
  }
}
