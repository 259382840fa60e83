import Foundation
import PrunecCalibration
import PrunecTensors
import Testing

@Suite struct OutputDivergenceTests {
  private func divergence(
    _ now: [Float], _ before: [Float], _ shape: [Int], samples: Int? = nil
  ) -> OutputDivergence {
    var divergence = OutputDivergence()
    divergence.add(
      [Tensor(now, shape: shape)], original: [Tensor(before, shape: shape)],
      sampleCount: samples ?? shape[0])
    return divergence
  }

  @Test func nothingHasBeenAdded() {
    #expect(OutputDivergence().mean == 0)
    #expect(OutputDivergence().agreement == nil)
  }

  @Test func probabilities() {
    let found = divergence([0.25, 0.75, 0.5, 0.5], [0.5, 0.5, 0.9, 0.1], [2, 2])
    let first = 0.5 * log(0.5 / 0.25) + 0.5 * log(0.5 / 0.75)
    let second = 0.9 * log(0.9 / 0.5) + 0.1 * log(0.1 / 0.5)
    #expect(abs(found.mean - (first + second) / 2) < 1e-6)
    #expect(found.agreement == 0.5)
  }

  /// Rows run along the last axis of more than two.
  @Test func probabilitiesOfSequences() {
    let found = divergence([0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 1, 0], [1, 2, 2])
    #expect(abs(found.mean - log(2) / 2) < 1e-6)
  }

  @Test(arguments: [[2, 2], [2, 2, 1, 1]])
  func scoresOfClasses(_ shape: [Int]) {
    let found = divergence([1, 1, -1, 3], [0, Float(log(3.0)), 100, 104], shape)
    let first = 0.25 * log(0.25 / 0.5) + 0.75 * log(0.75 / 0.5)
    #expect(abs(found.mean - first / 2) < 1e-6)
    #expect(found.agreement == 0.5)
  }

  /// Adding a number to all scores changes no probability.
  @Test func shiftedScoresAreTheSame() {
    #expect(divergence([5, 6, 7], [-1, 0, 1], [1, 3]).mean < 1e-12)
  }

  @Test(arguments: [[1, 1, 2, 2], [4]])
  func anythingElseIsMeasuredByItsVariance(_ shape: [Int]) {
    let found = divergence([2, 2, 3, 4], [1, 2, 3, 4], shape)
    #expect(abs(found.mean - 1.0 / 5) < 1e-6)
    #expect(found.agreement == nil)
  }

  @Test func constantOutputsAreMeasuredAsTheyAre() {
    #expect(abs(divergence([2, 2], [1, 1], [2]).mean - 2) < 1e-6)
  }

  @Test func samplesThatFillUpABatchDoNotCount() {
    let found = divergence([0, 9, 0, 1], [0, 9, 1, 0], [2, 2], samples: 1)
    #expect(found.mean == 0)
    #expect(found.agreement == 1)
  }

  @Test func outputsAddUpAndBatchesAreWeighed() {
    var divergence = OutputDivergence()
    func add(_ now: [Float], _ before: [Float], _ count: Int) {
      let shape = [now.count]
      divergence.add(
        [Tensor(now, shape: shape), Tensor(now, shape: shape), Tensor([1], shape: [1])],
        original: [
          Tensor(before, shape: shape), Tensor(before, shape: shape), Tensor([1], shape: [1]),
        ], sampleCount: count)
    }
    add([1, 2, 3, 5], [1, 2, 3, 4], 3)
    add([1, 2, 3, 4], [1, 2, 3, 4], 1)
    #expect(abs(divergence.mean - 2 * 0.2 * 3 / 4) < 1e-6)
  }

  @Test func integersDoNotCount() {
    var divergence = OutputDivergence()
    divergence.add([Tensor([1, 2])], original: [Tensor([3, 4])], sampleCount: 2)
    #expect(divergence.mean == 0)
  }

  @Test(arguments: [Float.nan, .infinity])
  func whatIsNoNumberIsInfinitelyFar(_ number: Float) {
    #expect(divergence([number, 1], [2, 1], [1, 2]).mean == .infinity)
    #expect(divergence([number, 0.5], [0.5, 0.5], [1, 2]).mean > 0)
    #expect(divergence([number, 1, 2], [2, 1, 0], [3]).mean == .infinity)
  }
}
