import PrunecGraphIR

/// Rows and targets on their way into sums, held back until there are enough of them to be multiplied together.
///
/// A product of few long rows costs little more to compute than to write and to add up: batches of one sample have as few as the
/// positions that are looked at in one image.
struct MomentsAccumulator {
  private var moments: Moments
  private var rows: [Float] = []
  private var targets: [Float] = []
  private var count = 0

  init(inputs: Int, outputs: Int) { moments = Moments(inputs: inputs, outputs: outputs) }

  /// Adds rows `x [count, K]` and their targets `y [count, M]`. Throws where there is no memory for their products.
  mutating func add(
    _ x: [Float], _ y: [Float], count: Int, _ products: RowProducts
  ) throws(CompileError) {
    rows += x
    targets += y
    self.count += count
    if self.count >= Moments.blockLength(forRowsOf: moments.inputs) { try flush(products) }
  }

  /// The sums of all rows.
  mutating func finish(_ products: RowProducts) throws(CompileError) -> Moments {
    try flush(products)
    return moments
  }

  private mutating func flush(_ products: RowProducts) throws(CompileError) {
    guard count > 0 else { return }
    try moments.add(rows, targets, count: count, products)
    rows.removeAll(keepingCapacity: true)
    targets.removeAll(keepingCapacity: true)
    count = 0
  }
}
