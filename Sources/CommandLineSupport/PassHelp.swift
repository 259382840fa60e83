import PrunecPassKit
import PrunecPasses

/// Text of `--help-passes`: every pass with its options.
package enum PassHelp {
  package static var text: String { allPasses.passes.map(text(of:)).joined(separator: "\n") }

  private static func text(of pass: any Pass.Type) -> String {
    var lines = ["\(pass.name): \(pass.summary)"]
    for option in pass.options {
      lines.append("  \(option.key)=<\(option.valueName)>  \(option.helpText())")
      lines.append("      \(option.expectation)")
    }
    return lines.joined(separator: "\n")
  }
}
