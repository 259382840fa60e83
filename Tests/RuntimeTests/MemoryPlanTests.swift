import PrunecTensors
import Testing

@testable import PrunecRuntime

@Suite struct MemoryPlanTests {
  /// A step that reads and writes buffers of no meaning.
  private func step(_ reads: [Int], _ writes: [Int]) -> Step {
    Step([], "", reads: reads, writes: writes) { memory in .preparation({ _ in }, memory) }
  }

  private func view(_ buffer: Int) -> View {
    View(buffer: buffer, type: .float32, shape: [64])
  }

  @Test func buffersOfAChainTakeTurns() {
    let buffers = [Buffer](repeating: Buffer(byteCount: 256), count: 5)
    let steps = (0..<4).map { step([$0], [$0 + 1]) }
    let plan = MemoryPlan(steps, buffers, inputs: [0], outputs: [4])
    #expect(plan.size == 512)
    #expect(plan.lowerBound == 512)
    for (left, right) in zip(plan.offsets, plan.offsets.dropFirst()) { #expect(left != right) }
  }

  @Test func resultsTakeOverWhatNothingElseReads() {
    let buffers = [Buffer](repeating: Buffer(byteCount: 256), count: 3)
    var steps = [step([0], [1]), step([1], [2])]
    steps[1].replaceable = [(view(1), view(2))]
    let plan = MemoryPlan(steps, buffers, inputs: [0], outputs: [2])
    #expect(plan.offsets[1] == plan.offsets[2])
    // The input is still needed afterwards.
    steps.append(step([1, 2], []))
    let kept = MemoryPlan(steps, buffers, inputs: [0], outputs: [2])
    #expect(kept.offsets[1] != kept.offsets[2])
  }

  @Test func resultsElsewhereInTheirBufferTakeNothingOver() {
    let buffers = [Buffer](repeating: Buffer(byteCount: 512), count: 3)
    var steps = [step([0], [1]), step([1], [2])]
    var result = view(2)
    result.offset = 64
    steps[1].replaceable = [(view(1), result)]
    let plan = MemoryPlan(steps, buffers, inputs: [0], outputs: [2])
    #expect(plan.offsets[1] != plan.offsets[2])
  }

  @Test func constantsTakeNothing() {
    let constant = Buffer(
      byteCount: 0, constant: .tensor(Tensor(zeros: .float32, shape: [25])))
    let plan = MemoryPlan(
      [step([0, 1], [2])], [Buffer(byteCount: 64), constant, Buffer(byteCount: 64)], inputs: [0],
      outputs: [2])
    #expect(plan.size == 128)
  }
}
