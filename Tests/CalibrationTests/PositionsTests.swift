import PrunecTensors
import Testing

@testable import PrunecCalibration

@Suite struct PositionsTests {
  @Test func allWhereThereAreFew() {
    var chooser = Positions(seed: 1)
    #expect(chooser.choose(5, of: 5) == [0, 1, 2, 3, 4])
    #expect(chooser.choose(9, of: 3) == [0, 1, 2])
    #expect(chooser.choose(9, of: 0) == [])
  }

  @Test func oneOfEachStretch() {
    var chooser = Positions(seed: 1)
    let chosen = chooser.choose(50, of: 1000)
    #expect(chosen.indices.allSatisfy { chosen[$0] / 20 == $0 })
    #expect(Set(chosen.map { $0 % 20 }).count > 5)
    var other = Positions(seed: 1)
    #expect(other.choose(50, of: 1000) == chosen)
    var again = Positions(seed: 2)
    #expect(again.choose(50, of: 1000) != chosen)
  }
}

@Suite struct ChannelFitTests {
  /// Channels along an axis in the middle.
  @Test func findsScaleAndShift() {
    var random = SplitMix64(seed: 1)
    let shape = [4, 3, 50]
    let x = (0..<600).map { _ in random.nextNormal() }
    let y = x.indices.map { x[$0] * [2, -1, 0.5][$0 / 50 % 3] + [0, 1, 7][$0 / 50 % 3] }
    var fit = ChannelFit(count: 3)
    fit.add(Tensor(x, shape: shape), Tensor(y, shape: shape), axis: 1)
    let found = fit.factors
    for (channel, (scale, shift)) in [(2.0, 0.0), (-1, 1), (0.5, 7)].enumerated() {
      #expect(abs(found[channel].scale - scale) < 0.05)
      #expect(abs(found[channel].shift - shift) < 0.05)
    }
    let tensor = Tensor(x, shape: shape).scaled(found, alongAxis: 1)
    #expect(zip(tensor.floats, y).allSatisfy { abs($0 - $1) < 0.2 })
  }

  /// A channel that does not change gets the mean, and its scale stays.
  @Test func constantChannelsAreShifted() {
    var fit = ChannelFit(count: 2)
    fit.add(Tensor([3, 1, 3, 2], shape: [2, 2]), Tensor([5, 1, 7, 2], shape: [2, 2]), axis: 1)
    #expect(fit.factors[0].scale == 1)
    #expect(abs(fit.factors[0].shift - 3) < 1e-9)
    #expect(abs(fit.factors[1].scale - 1) < 1e-9)
  }
}
