import PrunecGraphIR
import PrunecONNXText
import Testing

@Suite struct GraphFingerprintTests {
  private static let text = """
    main (float[N,4] x) => (float[] y) <float[4,2] a = {1,2,3,4,5,6,7,8}>
    { h = MatMul (x, a) y = Softmax <axis = 1> (h) }
    """

  private func fingerprint(_ change: (String) -> String = { $0 }) throws -> UInt64 {
    try parseModel(change(Self.text)).graph.fingerprint
  }

  @Test func namesInsideDoNotCount() throws {
    #expect(try fingerprint() == fingerprint())
    let renamed = try fingerprint {
      $0.replacing("h = ", with: "hidden = ").replacing("(h)", with: "(hidden)")
    }
    #expect(try renamed == fingerprint())
  }

  @Test(arguments: [
    ("7,8", "7,9"), ("axis = 1", "axis = 0"), ("Softmax", "LogSoftmax"), ("[N,4]", "[3,4]"),
    ("(x, a)", "(x, a) z = Relu (h)"),
  ])
  func whatIsComputedCounts(_ before: String, _ after: String) throws {
    #expect(try fingerprint { $0.replacing(before, with: after) } != fingerprint())
  }
}
