/// Every criterion, in the order in which they are told to users.
public let allCriteria: [any ChannelCriterion] = [
  L1Norm(),
  L2Norm(),
  GeometricMedian(),
  BatchNormScale(),
  BrainSurgeon(),
  Activation(),
  Wanda(),
  Fluctuation(),
  ThiNet(),
  Lasso(),
  FeatureMapRank(),
  RandomScore(),
]
