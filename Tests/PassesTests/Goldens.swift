import Passes
import TestSupport
import Testing

/// Checks the golden files of a pass, and reports each case that fails by itself.
func expectGoldens(
  of pass: any Pass.Type, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  for failure in try goldenFailures(ofPass: pass.name) {
    Issue.record(Comment(rawValue: failure), sourceLocation: sourceLocation)
  }
}
