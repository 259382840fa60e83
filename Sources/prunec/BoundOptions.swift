import ArgumentParser
import PrunecDriver

/// Most that the model may lose, which decides how much is removed.
struct BoundOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Find the smallest model whose accuracy on the samples of --eval falls by at most so many percentage points; of a \
      --metric that is no share (mse, a graph) by so many percent of what it was.
      """, valueName: "points"))
  var maxDrop: Double?

  @Option(
    help: ArgumentHelp(
      "Find the smallest model whose mean divergence from the original's outputs is at most this, on samples held back.",
      valueName: "divergence"))
  var maxDivergence: Double?

  @Option(
    help: ArgumentHelp(
      "Keep there what --max-drop and --max-divergence have tried (.json), and go on from what is there.",
      valueName: "file"))
  var resume: String?

  /// Whether the budget is to be found.
  var isGiven: Bool { maxDrop != nil || maxDivergence != nil }

  func validate() throws {
    guard maxDrop == nil || maxDivergence == nil else {
      throw ValidationError("give one of --max-drop and --max-divergence")
    }
    for (name, limit) in [("--max-drop", maxDrop), ("--max-divergence", maxDivergence)] {
      guard let limit else { continue }
      guard limit >= 0, limit.isFinite else {
        throw ValidationError("\(name) takes a number from 0 up")
      }
    }
    guard resume == nil || isGiven else {
      throw ValidationError("--resume is for --max-drop and --max-divergence")
    }
  }

  func apply(to options: inout PruneOptions) {
    if maxDivergence != nil { options.comparesOnSamples = true }
  }
}
