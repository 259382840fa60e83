/// A file of pass tests in ONNX's textual syntax.
///
/// ```
/// # What the first case is about.
/// # run: fold-batch-norm
/// main (float[1,2] x) => (float[1,2] y) {
///   y = Identity (x)
/// }
/// # expect:
/// main (float[1,2] x) => (float[1,2] y) {
///   y = Identity (x)
/// }
///
/// # run: shrink-channels
/// main (float[1,2] x) => (float[1,2] y) {
///   # expect-error: part of the message
///   y = Unknown (x)
/// }
/// ```
///
/// Each `# run:`, with the comments right above it, begins a case; the lines up to `# expect:` are its input, the lines after are the
/// exact result, printed with data of more than 16 elements elided. A case without `# expect:` fails
/// with the errors that `# expect-error:` comments announce, each for the node below the comment; for
/// an error that is not about a node the comment stands below the last one.
///
/// Two comments of the input set how it is run: `# direction: outer` cuts split axes along their outer
/// factor, and `# unchecked: reason` says why the results cannot be compared by running them.
package struct GoldenFile: Equatable {
  package struct Case: Equatable {
    /// The comments right above `# run:`.
    package var note: String
    /// The line of `# run:`, counted from 1.
    package var line: Int
    package var pipeline: String
    /// The lines between `# run:` and `# expect:`.
    package var input: String
    package var expected: String?
    /// The announced errors with the lines of their comments, counted within the input.
    package var errors: [ExpectedError]
    /// What `# direction:` says.
    package var direction: String?
    /// What `# unchecked:` says.
    package var unchecked: String?
  }

  package struct ExpectedError: Equatable {
    package var line: Int
    package var message: String
  }

  /// Comments before the first case.
  package var preamble: String
  package var cases: [Case]

  package init(_ text: String) {
    /// A case as it is read; what comes before the first one is read like the input of one.
    struct Section {
      var note: [Substring] = []
      var line = 0
      var pipeline = ""
      var input: [Substring] = []
      var expected: [Substring]?

      /// Takes the comments off the end.
      mutating func takeNote() -> [Substring] {
        var lines = expected ?? input
        let start = lines.lastIndex { !$0.hasPrefix("#") }.map { $0 + 1 } ?? 0
        let note = Array(lines[start...])
        lines.removeSubrange(start...)
        if expected == nil { input = lines } else { expected = lines }
        return note
      }
    }
    var sections = [Section()]
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let last = sections.count - 1
      if let pipeline = Self.argument(of: "run", in: line) {
        let note = sections[last].takeNote()
        sections.append(Section(note: note, line: index + 1, pipeline: pipeline))
      } else if last > 0, Self.argument(of: "expect", in: line) != nil {
        sections[last].expected = []
      } else if sections[last].expected != nil {
        sections[last].expected!.append(line)
      } else {
        sections[last].input.append(line)
      }
    }
    preamble = Self.trimmed(sections[0].input)
    cases = sections.dropFirst().map { section in
      let errors = section.input.enumerated().compactMap { index, line in
        Self.argument(of: "expect-error", in: line).map {
          ExpectedError(line: index + 1, message: $0)
        }
      }
      return Case(
        note: section.note.joined(separator: "\n"), line: section.line, pipeline: section.pipeline,
        input: Self.trimmed(section.input),
        expected: section.expected.map(Self.trimmed), errors: errors,
        direction: Self.first("direction", in: section.input),
        unchecked: Self.first("unchecked", in: section.input))
    }
  }

  /// The text of the file, with one empty line between cases.
  package var text: String {
    var sections = preamble.isEmpty ? [] : [preamble + "\n"]
    for section in cases {
      var text = section.note.isEmpty ? "" : section.note + "\n"
      text += "# run: \(section.pipeline)\n\(section.input)\n"
      if let expected = section.expected { text += "# expect:\n\(expected)\n" }
      sections.append(text)
    }
    return sections.joined(separator: "\n")
  }

  private static func first(_ key: String, in lines: [Substring]) -> String? {
    lines.lazy.compactMap { argument(of: key, in: $0) }.first
  }

  /// What follows `# key:` on a line that begins so.
  private static func argument(of key: String, in line: Substring) -> String? {
    let line = line.drop { $0 == " " }
    let prefix = "# \(key):"
    guard line.hasPrefix(prefix) else { return nil }
    return String(line.dropFirst(prefix.count).drop { $0 == " " })
  }

  /// The lines without empty ones at the end.
  private static func trimmed(_ lines: [Substring]) -> String {
    let end = lines.lastIndex { !$0.isEmpty }.map { $0 + 1 } ?? 0
    return lines[..<end].joined(separator: "\n")
  }
}
