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
/// Each `# run:` begins a case; the lines up to `# expect:` are its input, the lines after are the
/// exact result, printed with data of more than 16 elements elided. A case without `# expect:` fails
/// with the errors that `# expect-error:` comments announce, each for the node below the comment; for
/// an error that is not about a node the comment stands below the last one.
public struct GoldenFile: Equatable {
  public struct Case: Equatable {
    /// The line of `# run:`, counted from 1.
    public var line: Int
    public var pipeline: String
    /// The lines between `# run:` and `# expect:`.
    public var input: String
    public var expected: String?
    /// The announced errors with the lines of their comments, counted within the input.
    public var errors: [ExpectedError]
  }

  public struct ExpectedError: Equatable {
    public var line: Int
    public var message: String
  }

  /// Comments before the first case.
  public var preamble: String
  public var cases: [Case]

  public init(_ text: String) {
    var preamble: [Substring] = []
    var cases: [(line: Int, pipeline: String, input: [Substring], expected: [Substring]?)] = []
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      if let pipeline = Self.argument(of: "run", in: line) {
        cases.append((index + 1, pipeline, [], nil))
      } else if cases.isEmpty {
        preamble.append(line)
      } else if Self.argument(of: "expect", in: line) != nil {
        cases[cases.count - 1].expected = []
      } else if cases[cases.count - 1].expected != nil {
        cases[cases.count - 1].expected!.append(line)
      } else {
        cases[cases.count - 1].input.append(line)
      }
    }
    self.preamble = Self.trimmed(preamble)
    self.cases = cases.map { section in
      let errors = section.input.enumerated().compactMap { index, line in
        Self.argument(of: "expect-error", in: line).map {
          ExpectedError(line: index + 1, message: $0)
        }
      }
      return Case(
        line: section.line, pipeline: section.pipeline, input: Self.trimmed(section.input),
        expected: section.expected.map(Self.trimmed), errors: errors)
    }
  }

  /// The text of the file, with one empty line between cases.
  public var text: String {
    var sections = preamble.isEmpty ? [] : [preamble + "\n"]
    for section in cases {
      var text = "# run: \(section.pipeline)\n\(section.input)\n"
      if let expected = section.expected { text += "# expect:\n\(expected)\n" }
      sections.append(text)
    }
    return sections.joined(separator: "\n")
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
