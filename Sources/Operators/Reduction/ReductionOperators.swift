/// Reductions, and what else runs along an axis.
let reductionOperators: [any Operator] = Reduce.all
