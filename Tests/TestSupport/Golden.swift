import Foundation
import PrunecGraphIR
import PrunecONNXText

/// Runs the pipeline of a case on its input.
package typealias CaseRunner = (_ section: GoldenFile.Case, _ input: Model) throws -> Model

/// The repository's root.
package let packageDirectory = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent()

/// Checks every case of every `*.onnxtxt` in `Fixtures/Passes/<pass>`, in the order of their names.
///
/// With the environment variable `BLESS` set to 1, expected results that differ are rewritten, and
/// reported all the same: a blessed result is to be read before it is believed.
///
/// - Returns: what is wrong, a text for each failed case; empty where all is well.
package func goldenFailures(ofPass pass: String, run: CaseRunner = runCase) throws -> [String] {
  let directory = packageDirectory.appending(path: "Fixtures/Passes/\(pass)")
  let files = try FileManager.default.contentsOfDirectory(
    at: directory, includingPropertiesForKeys: nil
  ).filter { $0.pathExtension == "onnxtxt" }.sorted { $0.path < $1.path }
  guard !files.isEmpty else { return ["\(pass): no golden files in Fixtures/Passes"] }
  let isBlessing = ProcessInfo.processInfo.environment["BLESS"] == "1"
  return try files.flatMap { try goldenFailures(inFile: $0, isBlessing: isBlessing, run: run) }
}

/// Checks every case of one file; see `goldenFailures(ofPass:run:)`.
package func goldenFailures(
  inFile url: URL, isBlessing: Bool, run: CaseRunner
) throws -> [String] {
  var file = GoldenFile(try String(contentsOf: url, encoding: .utf8))
  guard !file.cases.isEmpty else { return ["\(url.lastPathComponent): no '# run:' line"] }
  var failures: [String] = []
  var isChanged = false
  for index in file.cases.indices {
    let section = file.cases[index]
    guard let failure = failure(of: section, run: run) else { continue }
    var message = "\(url.lastPathComponent):\(section.line): \(failure.message)"
    if isBlessing, let result = failure.result {
      file.cases[index].expected = result
      isChanged = true
      message += "\nblessed: the file now expects the actual result"
    }
    failures.append(message)
  }
  if isChanged { try file.text.write(to: url, atomically: true, encoding: .utf8) }
  return failures
}

/// Why a case failed, and the result that could be blessed.
private struct CaseFailure {
  var message: String
  var result: String?
}

private func failure(of section: GoldenFile.Case, run: CaseRunner) -> CaseFailure? {
  let source: ParsedSource
  do {
    source = try parseSource(section.input)
  } catch {
    return CaseFailure(message: "the input does not parse:\n\(error)")
  }
  if let message = violations(in: source.model) {
    return CaseFailure(message: "the input is not well formed:\n\(message)")
  }

  let result: Model
  do {
    result = try run(section, source.model)
  } catch let error as CompileError {
    return mismatch(of: error, section, source).map { CaseFailure(message: $0) }
  } catch {
    return CaseFailure(message: "threw something other than a CompileError: \(error)")
  }
  guard section.errors.isEmpty else {
    return CaseFailure(message: "expected an error: \(section.errors[0].message)")
  }
  if let message = violations(in: result) {
    return CaseFailure(message: "the result is not well formed:\n\(message)")
  }
  return mismatch(of: result, section, source)
}

private func violations(in model: Model) -> String? {
  let violations = ([model.graph] + model.functions.map(\.body)).flatMap(Verifier.violations)
  return violations.isEmpty ? nil : violations.map(\.description).joined(separator: "\n")
}

// MARK: Results

private func mismatch(
  of result: Model, _ section: GoldenFile.Case, _ source: ParsedSource
) -> CaseFailure? {
  var options = PrintOptions.readable
  options.printHeader = source.hasHeader
  var actual = printModel(result, options: options)
  while actual.last == "\n" { actual.removeLast() }
  guard let expected = section.expected else {
    return CaseFailure(message: "no '# expect:' line; the result is\n\(actual)", result: actual)
  }
  guard expected == actual else {
    let diff = lineDiff(expected: expected, actual: actual)
    return CaseFailure(
      message: "the result (+) is not the expected one (-):\n\(diff)", result: actual)
  }

  let complete = printModel(result)
  do {
    let again = printModel(try parseModel(complete))
    guard again != complete else { return nil }
    let diff = lineDiff(expected: complete, actual: again)
    return CaseFailure(message: "the result changes when it is printed and parsed:\n\(diff)")
  } catch {
    return CaseFailure(message: "the printed result does not parse:\n\(error)\n\(complete)")
  }
}

// MARK: Errors

/// What differs between the errors thrown and those announced.
private func mismatch(
  of error: CompileError, _ section: GoldenFile.Case, _ source: ParsedSource
) -> String? {
  var thrown = error.diagnostics.filter { $0.severity == .error }
  var problems: [String] = []
  for expected in section.errors {
    let node = source.nodeLines.first { $0.line > expected.line }?.node
    let match = thrown.firstIndex {
      $0.message.contains(expected.message) && (node == nil || $0.location == node)
    }
    if let match {
      thrown.remove(at: match)
    } else {
      let place = node.map { "\($0): " } ?? ""
      problems.append("expected an error that was not thrown: \(place)\(expected.message)")
    }
  }
  problems += thrown.map { "unexpected \($0)" }
  return problems.isEmpty ? nil : problems.joined(separator: "\n")
}
