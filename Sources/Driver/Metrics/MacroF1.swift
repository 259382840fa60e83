/// Macro-averaged F1: over the classes that occur, the mean of the harmonic mean of precision and recall,
///
///     F1(c) = 2 |predicted c and labelled c| / (|predicted c| + |labelled c|)
public struct MacroF1: ConfusionMetric {
  public let name = "f1"
  var counts = ConfusionCounts()

  public init() {}

  static func measure(both: Double, predicted: Double, labelled: Double) -> Double {
    2 * both / (predicted + labelled)
  }
}
