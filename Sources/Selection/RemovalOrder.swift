/// The order in which the channels of a group go.
enum RemovalOrder {
  /// For each channel the error reached when it goes; the last one, whose error may be infinite, counts as much as all before it
  /// together.
  static func scores(_ order: [(channel: Int, error: Double)]) -> [Float] {
    var scores = [Float](repeating: 0, count: order.count)
    var (reached, sum) = (0.0, 0.0)
    for (channel, error) in order {
      reached = error.isFinite ? max(reached, error) : max(reached, sum)
      sum += error.isFinite ? error : 0
      // Equal errors keep their order.
      reached = reached.nextUp
      scores[channel] = Float(reached)
    }
    return scores
  }
}
