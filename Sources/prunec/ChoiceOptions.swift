import ArgumentParser
import PrunecCommandLineSupport
import PrunecCoupling
import PrunecDriver
import PrunecPasses
import PrunecSelection

/// What is removed, and how it is made up for.
struct ChoiceOptions: ParsableArguments {
  @Option(ScoreChannels.criterion, orElse: "obs where the model is run on samples, else l2")
  var criterion: (any ChannelCriterion)?

  @Option(
    help: """
      How removed channels are made up for: merge, reconstruct or none. (default: reconstruct where the \
      model is run on samples, else merge)
      """)
  var compensate: Compensation?

  @Option(
    CoupleChannels.direction, orElse: "inner; outer where the kind 'head' is asked for")
  var direction: SplitDirection?

  @Option(
    help: ArgumentHelp(
      "Reach the budget in so many cuts, each measured anew on what the cuts before it left.",
      valueName: "n"))
  var iterations = 1

  @Option(ScoreChannels.seed) var seed: Int

  @Flag(inversion: .prefixedNo, help: "Run the masked original and the small model and compare.")
  var check = true

  @Flag(help: "Refuse models with operators that are not understood.")
  var strict = false

  @Option(
    help: ArgumentHelp(
      "Run this pipeline instead of the one that the options describe.", valueName: "pipeline"))
  var pipeline: String?

  func validate() throws {
    guard (1...64).contains(iterations) else {
      throw ValidationError("--iterations must be between 1 and 64")
    }
  }

  func apply(to options: inout PruneOptions) {
    options.criterion = criterion
    options.compensation = compensate
    options.direction = direction
    options.iterations = iterations
    options.seed = seed
    options.check = check
    options.isStrict = strict
    options.pipeline = pipeline
  }
}

extension Compensation: ExpressibleByArgument {}
