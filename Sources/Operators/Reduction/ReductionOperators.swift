/// Reductions, and what else runs along an axis.
let reductionOperators: [any Operator] =
  [
    CumSum(),
    TopK(),
  ] + ArgExtremum.all + Reduce.all
