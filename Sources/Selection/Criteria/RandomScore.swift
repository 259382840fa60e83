import PrunecCoupling
import PrunecGraphIR
import PrunecTensors

/// A seeded random number: the baseline that the others have to beat.
public struct RandomScore: ChannelCriterion {
  public let name = "random"
  public let summary = "a random number, for comparison"

  public init() {}

  public func scores(for inputs: ScoringInputs) throws(CompileError) -> [[Float]?] {
    var generator = SplitMix64(seed: inputs.seed)
    return inputs.coupling.groups.map { group in
      group.pin == nil ? (0..<group.count).map { _ in generator.nextUniform() } : nil
    }
  }
}

extension ChannelCriterion where Self == RandomScore {
  public static var random: RandomScore { RandomScore() }
}
