/// Classical machine learning: what stands before and behind trees and linear models, and these.
let classicalOperators: [any Operator] =
  [
    ArrayFeatureExtractor(),
    LabelEncoder(),
    LinearClassifier(),
    LinearRegressor(),
    Normalizer(),
    Scaler(),
  ] + TreeEnsemble.all
