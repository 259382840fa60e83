import CommandLineSupport

/// What is removed, and how it is made up for.
struct ChoiceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Importance of a channel: \(allCriteria.map { "\($0.name) (\($0.summary))" }.joined(separator: ", ")); \
      obs with --calibration, else l2.
      """),
    transform: Self.criterion)
  var criterion: (any ChannelCriterion)?

  @Option(
    help: """
      How removed channels are made up for: merge, reconstruct or none; reconstruct with --calibration, else merge.
      """)
  var compensate: Compensation?

  @Option(
    help: """
      Which factor of a split axis is cut: inner (head dimensions; the default) or outer (heads; the \
      default where the kind 'head' is asked for).
      """)
  var direction: SplitDirection?

  @Option(help: "Seed of everything random.")
  var seed: Int = 0

  @Flag(inversion: .prefixedNo, help: "Run the masked original and the small model and compare.")
  var check = true

  @Flag(help: "Refuse models with operators that are not understood.")
  var strict = false

  @Option(help: ArgumentHelp("Run this pipeline instead.", valueName: "pipeline"))
  var pipeline: String?

  func validate() throws {
    guard seed >= 0 else { throw ValidationError("--seed is negative") }
  }

  func apply(to options: inout PruneOptions) throws {
    options.criterion = criterion
    options.compensation = compensate
    options.direction = direction
    options.seed = seed
    options.check = check
    options.isStrict = strict
    options.pipeline = pipeline
  }

  private static func criterion(_ name: String) throws -> any ChannelCriterion {
    guard let criterion = allCriteria.first(where: { $0.name == name }) else {
      throw ValidationError("it is not one of \(allCriteria.map(\.name).joined(separator: ", "))")
    }
    return criterion
  }
}

extension Compensation: ExpressibleByArgument {}
extension SplitDirection: ExpressibleByArgument {}
