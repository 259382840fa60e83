import PrunecGraphIR
import PrunecONNXText
import PrunecTensors
import Testing

@testable import PrunecDriver

@Suite struct MetricTests {
  private func batch(_ output: Tensor, _ labels: [String: Tensor], size: Int? = nil)
    -> EvaluatedBatch
  {
    let items = labels.values.first?.shape[0] ?? 0
    return EvaluatedBatch(
      outputs: [("out", output)], labels: labels, items: Array(0..<items),
      size: size ?? output.shape[0])
  }

  /// Scores `[4, 3]` whose greatest are of classes 0, 1, 2, 1.
  private static let scores = Tensor([9, 1, 1, 0, 5, 2, 0, 1, 3, 2, 8, 0], shape: [4, 3])

  @Test func classMetrics() throws {
    // Labelled 0, 1, 1, 2: class 0 is right, class 1 once of three, class 2 never.
    let labels = ["y": Tensor([0, 1, 1, 2])]
    var (top1, miou, f1) = (Top1(), MeanIoU(), MacroF1())
    try top1.add(batch(Self.scores, labels))
    try miou.add(batch(Self.scores, labels))
    try f1.add(batch(Self.scores, labels))
    #expect(top1.result().value == 0.5)
    #expect(abs(miou.result().value - (1 + 1.0 / 3 + 0) / 3) < 1e-12)
    #expect(abs(f1.result().value - (1 + 0.5 + 0) / 3) < 1e-12)
    #expect(top1.result().text == "top-1 50.00 %")
    #expect(f1.result().items == 4)
  }

  @Test func whatFillsABatchUpDoesNotCount() throws {
    var top1 = Top1()
    try top1.add(
      EvaluatedBatch(
        outputs: [("out", Self.scores)], labels: ["y": Tensor([0, 1])], items: [0, 1], size: 4))
    #expect((top1.result().items, top1.result().value) == (2, 1))
    var error = MeanSquaredError()
    try error.add(
      EvaluatedBatch(
        outputs: [("out", Tensor([1, 2, 50], shape: [3, 1]))],
        labels: ["y": Tensor([Float(0), 0, 0], shape: [3])], items: [0, 1], size: 3))
    #expect(error.result().value == 2.5)
  }

  @Test func tiesGoToTheLowerClass() throws {
    var top1 = Top1()
    try top1.add(batch(Tensor([1, 1, 0, 1, 1, 0], shape: [2, 3]), ["y": Tensor([0, 1])]))
    #expect(top1.result().value == 0.5)
  }

  /// 255 says that there is no label, but where it is a class.
  @Test func aLabelOf255() throws {
    let scores = Tensor((0..<256).map { $0 == 255 ? 1 : 0 }, shape: [1, 256])
    var f1 = MacroF1()
    try f1.add(batch(scores, ["y": Tensor([255])]))
    #expect(f1.result().value == 1)
  }

  @Test func mapsOfClasses() throws {
    // Two classes at 2 x 1 places; one place has no label.
    let output = Tensor([1, 0, 0, 1, 0, 0, 1, 1], shape: [2, 2, 2, 1])
    var miou = MeanIoU()
    try miou.add(batch(output, ["y": Tensor([0, 1, 255, 0] as [Int], shape: [2, 2, 1])]))
    // Predicted 0, 1, -, 1: class 0 once of two, class 1 once of two.
    #expect(miou.result().value == 0.5)
    #expect(throws: CompileError.self) {
      try miou.add(batch(output, ["y": Tensor([0, 1, 2, 0] as [Int], shape: [2, 2, 1])]))
    }
    #expect(throws: CompileError.self) {
      try miou.add(batch(output, ["y": Tensor([0, 1] as [Int], shape: [2, 1])]))
    }
  }

  @Test func undefinedScoresAreWrong() throws {
    var (top1, f1) = (Top1(), MacroF1())
    let scores = Tensor([.nan, 1, 1, 0], shape: [2, 2])
    try top1.add(batch(scores, ["y": Tensor([1, 0])]))
    try f1.add(batch(scores, ["y": Tensor([1, 0])]))
    #expect(top1.result().value == 0.5)
    #expect(top1.result().caution?.contains("1 of 2 items") == true)
    #expect(f1.result().value == 0.5)
  }

  private func graph(_ text: String) throws -> Graph {
    try parseModel("<ir_version: 8, opset_import: [\"\": 18]>\n" + text).graph
  }

  @Test func graphsSeeAllSamplesTogether() throws {
    let graph = try graph(
      """
      g (float[N,2] out, float[N,2] wanted) => (float loss) {
        d = Sub (out, wanted)
        a = Abs (d)
        loss = ReduceMax <keepdims = 0> (a)
      }
      """)
    var metric = try GraphMetric("worst.onnx", graph, outputs: ["out"])
    #expect(metric.labels == .arrays(["wanted"]))
    #expect(metric.scale == .number(isLowerBetter: true))
    for numbers: [Float] in [[1, 2], [7, 1], [0, 0]] {
      try metric.add(
        batch(Tensor(numbers, shape: [1, 2]), ["wanted": Tensor([1, 1], shape: [1, 2])]))
    }
    #expect(try metric.result().value == 6)
  }

  @Test func graphsThatAreNoMetrics() throws {
    let plain = try graph("g (float[N,2] out) => (float[N,2] z) { z = Abs (out) }")
    #expect(throws: CompileError.self) { try GraphMetric("m", plain, outputs: ["other"]) }
    var metric = try GraphMetric("m", plain, outputs: ["out"])
    #expect(metric.scale == .number(isLowerBetter: false))
    try metric.add(batch(Tensor([1, 2], shape: [1, 2]), ["y": Tensor([1])]))
    #expect(throws: CompileError.self) { try metric.result() }
  }
}
