import PrunecPassKit

/// Every pass, in the order in which they are told to users, and the rules for their order.
public let allPasses = PassRegistry(
  [
    InlineFunctions.self,
    UnpackSequences.self,
    FoldConstants.self,
    InlineBranches.self,
    HoistBranches.self,
    FixShapeConstants.self,
    SeparateShapeConstants.self,
    SeparateSharedVectors.self,
    InferShapes.self,
    CorrectTypes.self,
    EliminateIdentities.self,
    EliminateDeadNodes.self,
    FoldBatchNorm.self,
    CoupleChannels.self,
    SeekClasses.self,
    CollectStatistics.self,
    RotateHeads.self,
    ScoreChannels.self,
    MeasureDamage.self,
    MaskChannels.self,
    MergeNeurons.self,
    ReconstructLayers.self,
    RefitLayers.self,
    ShrinkChannels.self,
    MergeEqualVectors.self,
    LowerMasks.self,
    SinkBranches.self,
  ],
  rules: [
    PassRegistry.OrderingRule(
      "mask-channels", requires: "score-channels", because: "it removes what scores least"),
    PassRegistry.OrderingRule(
      "rotate-heads", requires: "collect-statistics",
      because: "it turns heads by what they match and mix on samples"),
    PassRegistry.OrderingRule(
      "refit-layers", requires: "collect-statistics",
      because: "it fits layers to what they read on samples"),
    PassRegistry.OrderingRule(
      "measure-damage", requires: "score-channels", because: "it cuts what scores least"),
    PassRegistry.OrderingRule(
      "measure-damage", requires: "collect-statistics",
      because: "layers make up for what is cut by what they read"),
  ])
