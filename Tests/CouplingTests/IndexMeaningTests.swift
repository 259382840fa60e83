import PrunecCoupling
import PrunecTestSupport
import Testing

/// Axes whose indices a constant range counts.
@Suite struct IndexMeaningTests {
  /// By name of group, the meaning of its indices; empty for none.
  private func meanings(_ text: String) throws -> [String: String] {
    let groups = try CoupledModel(text).coupling.groups.filter { $0.pin == nil }
    for group in groups { #expect((group.kind == .index) == (group.meaning != nil)) }
    return Dictionary(
      uniqueKeysWithValues: groups.map { ($0.name, $0.meaning?.description ?? "") })
  }

  @Test func wordsOfAOneHotCode() throws {
    let found = try meanings(
      """
      main (int32[N,7] ids) => (float[N,7,3] y)
      <int32[1,1,6] range = {0, 1, 2, 3, 4, 5}, int64[1] last = {-1}, float[6,8] words = {...},
       float[8,3] w = {...}>
      {
        u = Unsqueeze (ids, last)
        [equal] q = Equal (u, range)
        code = Cast <to = 1> (q)
        [embed] e = MatMul (code, words)
        y = MatMul (e, w)
      }
      """)
    #expect(
      found.values.sorted() == [
        "",
        "node 'equal' (Equal): its indices have a meaning: they are compared with the range 'range'",
      ])
    #expect(found["embed"] == "")
  }

  @Test func binsOfADistribution() throws {
    let found = try meanings(
      """
      main (float[1,3,5,5] x) => (float[1,1,5,5] y)
      <float[8,3,1,1] w = {...}, float[8,8,1,1] v = {...},
       float[1,8,1,1] range = {0, 1, 2, 3, 4, 5, 6, 7}>
      {
        [stem] h = Conv (x, w)
        [bins] b = Conv (h, v)
        p = Softmax <axis = 1> (b)
        [mean] y = Conv (p, range)
      }
      """)
    #expect(
      found == [
        "stem": "",
        "bins":
          "node 'mean' (Conv): its indices have a meaning: they are summed with the range 'range'",
      ])
  }

  /// Vectors as trained networks have them: of one value, of few elements, or of no steady step.
  @Test(arguments: ["{1, 1, 1, 1}", "{0, 1, 2, 4}", "{0.1, 0.2, 0.3, 0.41}"])
  func vectorsThatAreNoRanges(elements: String) throws {
    let found = try meanings(
      """
      main (float[N,3] x) => (float[N,2] y)
      <float[3,4] w = {...}, float[4] scale = \(elements), float[4,2] v = {...}>
      {
        [fc] h = MatMul (x, w)
        s = Mul (h, scale)
        y = MatMul (s, v)
      }
      """)
    #expect(found == ["fc": ""])
  }
}
