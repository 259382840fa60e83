import Foundation
import PrunecCommandLineSupport
import PrunecDriver
import PrunecFiles
import PrunecGraphIR

/// A file of the candidates that a search has tried, from which a later one goes on.
struct CandidateFile {
  /// Identity of what was tried: candidates of anything else tell nothing.
  struct Key: Codable, Hashable {
    /// Fingerprints of the model's files and of the samples.
    let model: String
    let data: String
    /// The pipeline, but for its budget, and the shapes that MACs are counted for.
    let options: String
    /// Name of the measure that is bounded.
    let measure: String

    /// Names of the parts that differ in another key.
    func differences(from other: Key) -> [String] {
      [
        (model != other.model, "model"), (data != other.data, "data"),
        (options != other.options, "options"), (measure != other.measure, "measure"),
      ].filter(\.0).map(\.1)
    }
  }

  private struct Contents: Codable {
    var schemaVersion = 1
    let key: Key
    var candidates: [BoundSearch.Candidate]

    private enum CodingKeys: String, CodingKey {
      case schemaVersion = "schema_version"
      case key, candidates
    }
  }

  let path: String
  private var contents: Contents

  /// Reads the file at `path` if there is one.
  ///
  /// Throws a malformed error where it is no such file, and a usage error where it is about something else than `key`.
  init(_ path: String, _ key: Key) throws {
    self.path = path
    contents = Contents(key: key, candidates: [])
    guard FileManager.default.fileExists(atPath: path) else { return }
    let text = try LocatedError.at(path) { () throws(CompileError) in
      try TextFile(path: path).text
    }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    guard let found = try? decoder.decode(Contents.self, from: Data(text.utf8)) else {
      throw LocatedError(
        CompileError(.malformed, "is no file of candidates that --resume has written"), in: path)
    }
    guard found.schemaVersion == contents.schemaVersion, found.key == key else {
      let differences = key.differences(from: found.key).joined(separator: ", ")
      throw LocatedError(
        CompileError(
          .usage, "holds candidates of something else (it differs in: \(differences))",
          notes: ["name another file, or remove this one"]), in: path)
    }
    contents = found
  }

  /// Candidate of a budget, where it was tried.
  func candidate(budget: Double) -> BoundSearch.Candidate? {
    contents.candidates.first { $0.budget == budget }
  }

  /// Adds a candidate and writes the file.
  mutating func add(_ candidate: BoundSearch.Candidate) throws {
    try MappedFile.checkUnchanged()
    contents.candidates.append(candidate)
    let text = try OutputText.json(contents)
    try LocatedError.at(path) { () throws(CompileError) in try writeText(text + "\n", to: path) }
  }
}
