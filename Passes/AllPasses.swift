@_exported import PassKit

/// Every pass, in the order in which they are told to users, and the rules for their order.
public let allPasses = PassRegistry(
  [
    InlineFunctions.self,
    UnpackSequences.self,
    FoldConstants.self,
    FixShapeConstants.self,
    SeparateShapeConstants.self,
    InferShapes.self,
    EliminateIdentities.self,
    EliminateDeadNodes.self,
    FoldBatchNorm.self,
    ScoreChannels.self,
    MaskChannels.self,
    MergeNeurons.self,
    ReconstructLayers.self,
    ShrinkChannels.self,
    LowerMasks.self,
  ],
  rules: [
    PassRegistry.OrderingRule(
      "mask-channels", requires: "score-channels", because: "it removes what scores least")
  ])
