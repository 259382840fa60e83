import PrunecCoupling
import PrunecGraphIR
import PrunecPassKit
import PrunecTestSupport
import Testing

@Suite struct CoupleChannelsTests {
  /// Two heads of three dimensions.
  private static let text = """
    main (float[N,1] x) => (float[N,1] y)
    <float[1,6] w = {...}, int64[3] split = {0, 2, 3}, int64[2] merge = {0, 6}, float[6,1] v = {...}>
    {
      h = MatMul (x, w)
      s = Reshape (h, split)
      r = Relu (s)
      m = Reshape (r, merge)
      y = MatMul (m, v)
    }
    """

  private func counts(_ pipeline: String) throws -> [Int] {
    let run = try PassRun(pipeline, on: Self.text)
    var context = run.context
    return try context.coupling(of: run.graph).groups.filter { $0.pin == nil }.map(\.count)
  }

  @Test func directions() throws {
    #expect(try counts("") == [3])
    #expect(try counts("couple-channels") == [3])
    #expect(try counts("couple-channels{direction=inner}") == [3])
    #expect(try counts("couple-channels{direction=outer}") == [2])
    #expect(try counts("couple-channels{direction=outer},couple-channels") == [3])
  }

  @Test func wrongDirection() {
    let error = compileError { _ = try counts("couple-channels{direction=up}") }
    #expect(error?.kind == .usage)
    #expect(
      error?.diagnostics[0].message
        == "couple-channels: direction=up is not one of outer, inner")
  }
}
