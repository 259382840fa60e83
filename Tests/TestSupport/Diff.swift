/// The lines in which two texts differ, with `context` equal lines around: lines only in `expected`
/// begin with `-`, lines only in `actual` with `+`, and `...` stands for equal lines left out. Empty
/// where the texts are equal.
package func lineDiff(expected: String, actual: String, context: Int = 3) -> String {
  let old = expected.split(separator: "\n", omittingEmptySubsequences: false)
  let new = actual.split(separator: "\n", omittingEmptySubsequences: false)
  let difference = new.difference(from: old)
  guard !difference.isEmpty else { return "" }
  let removed = Set(difference.removals.map(\.offset))
  let inserted = Set(difference.insertions.map(\.offset))

  var lines: [(mark: Character, text: Substring)] = []
  var (oldIndex, newIndex) = (0, 0)
  while oldIndex < old.count || newIndex < new.count {
    if removed.contains(oldIndex) {
      lines.append(("-", old[oldIndex]))
      oldIndex += 1
    } else if inserted.contains(newIndex) {
      lines.append(("+", new[newIndex]))
      newIndex += 1
    } else {
      lines.append((" ", old[oldIndex]))
      oldIndex += 1
      newIndex += 1
    }
  }

  var isShown = [Bool](repeating: false, count: lines.count)
  for index in lines.indices where lines[index].mark != " " {
    for near in max(0, index - context)...min(lines.count - 1, index + context) {
      isShown[near] = true
    }
  }
  var result: [String] = []
  for (index, line) in lines.enumerated() {
    if isShown[index] {
      result.append("\(line.mark) \(line.text)")
    } else if index == 0 || isShown[index - 1] {
      result.append("...")
    }
  }
  return result.joined(separator: "\n")
}

extension CollectionDifference.Change {
  /// Where the element stands in its collection.
  fileprivate var offset: Int {
    switch self {
    case .insert(let offset, _, _), .remove(let offset, _, _): offset
    }
  }
}
