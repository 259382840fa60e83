/// A table for the terminal: the first column flush left, the others flush right.
///
/// Long cells are shortened in their middle, but for those of the first column: they are names, by which options choose.
package struct Table {
  private var rows: [[String]] = []
  private static let cellLimit = 64

  package init(_ header: [String]) { rows.append(header) }

  package mutating func add(_ row: [String]) {
    rows.append(row.prefix(1) + row.dropFirst().map(Self.shortened))
  }

  private static func shortened(_ cell: String) -> String {
    guard cell.count > cellLimit else { return cell }
    let half = (cellLimit - 3) / 2
    return "\(cell.prefix(cellLimit - 3 - half))...\(cell.suffix(half))"
  }

  /// The lines of the table, the header underlined.
  package var text: String {
    let columns = rows[0].count
    let widths = (0..<columns).map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = rows.map { row in
      row.enumerated().map { index, cell in
        let space = String(repeating: " ", count: widths[index] - cell.count)
        return index == 0 ? cell + space : space + cell
      }.joined(separator: "  ").trimmingTrailingSpaces()
    }
    lines.insert(
      String(repeating: "-", count: widths.reduce(0, +) + 2 * (columns - 1)), at: 1)
    return lines.joined(separator: "\n")
  }
}

extension String {
  fileprivate func trimmingTrailingSpaces() -> String {
    var text = self
    while text.hasSuffix(" ") { text.removeLast() }
    return text
  }
}
