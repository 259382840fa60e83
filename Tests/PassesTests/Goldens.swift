import Foundation
import PrunecGraphIR
import PrunecONNXText
import PrunecPassKit
import PrunecTestSupport
import Testing

/// Checks the golden files of a pass, and reports each case that fails by itself.
///
/// The cases of a pass's `stays.onnxtxt` are those in which a condition of the rewrite does not hold:
/// the graph must not be touched, not even in a way that its text does not show.
func expectGoldens(
  of pass: any Pass.Type, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  for failure in try goldenFailures(ofPass: pass.name) {
    Issue.record(Comment(rawValue: failure), sourceLocation: sourceLocation)
  }
  let file = packageDirectory.appending(path: "Fixtures/Passes/\(pass.name)/stays.onnxtxt")
  guard let text = try? String(contentsOf: file, encoding: .utf8) else { return }
  for section in GoldenFile(text).cases {
    let input = try parseModel(section.input)
    let result = try runCase(section, input)
    #expect(
      result.graph.revision == input.graph.revision, "\(pass.name): stays.onnxtxt:\(section.line)",
      sourceLocation: sourceLocation)
  }
}
