import PrunecOperators
import PrunecTensors
import Testing

@testable import PrunecRuntime

@Suite struct ViewTests {
  /// Channels last, as products write them.
  private let image = View(
    buffer: 0, type: .float32, shape: [1, 6, 4, 5], order: [0, 2, 3, 1])

  @Test func channelsLastIsAnOrder() {
    #expect(image.strides == [120, 1, 30, 6])
    #expect(image.order == [0, 2, 3, 1])
    #expect(image.isDense(inOrder: [0, 2, 3, 1]))
    #expect(!image.isRowMajor)
  }

  @Test func permutingMovesNothing() throws {
    let permuted = try #require(image.applying(.permute([0, 2, 3, 1])))
    #expect(permuted.shape == [1, 4, 5, 6])
    #expect(permuted.isRowMajor)
  }

  @Test func reshapingSplitsAndMergesEvenRuns() throws {
    let pixels = try #require(image.applying(.reshape([1, 6, 20])))
    #expect(pixels.strides.suffix(2) == [1, 6])
    let groups = try #require(image.applying(.reshape([1, 2, 3, 4, 5])))
    #expect(groups.strides.suffix(4) == [3, 1, 30, 6])
    // Channels and pixels as one axis are in no even order.
    #expect(image.applying(.reshape([120])) == nil)
    #expect(image.applying(.reshape([12, 10])) == nil)
  }

  @Test func selectingKeepsTheBuffer() throws {
    let part = try #require(
      image.applying(
        .select([
          .init(start: 0, step: 1, count: 1), .init(start: 4, step: -2, count: 3),
          .init(start: 1, step: 2, count: 2), .init(start: 0, step: 1, count: 5),
        ])))
    #expect(part.shape == [1, 3, 2, 5])
    #expect(part.offset == 4 + 30)
    #expect(part.strides == [120, -2, 60, 6])
  }

  @Test func broadcastingRepeats() {
    let row = View(buffer: 0, type: .float32, shape: [6, 1, 1])
    let wide = row.broadcast(to: [2, 6, 4, 5])
    #expect(wide.shape == [2, 6, 4, 5])
    #expect(wide.strides == [0, 1, 0, 0])
  }

  @Test func loopsMergeWhatAllViewsRunThroughEvenly() {
    let loops = Loops([image, image], axes: image.order)
    #expect(loops.shape == [120])
    let channel = View(buffer: 1, type: .float32, shape: [6, 1, 1]).broadcast(to: image.shape)
    let mixed = Loops([image, channel], axes: image.order)
    #expect(mixed.shape == [20, 6])
    #expect(mixed.strides == [[6, 1], [0, 1]])
  }
}
