import TestSupport
import Testing

/// Extents that are read at run time and say how long another axis is.
@Suite struct ExtentFlowTests {
  private func model(_ body: String) throws -> CoupledModel {
    try CoupledModel(
      """
      main (float[N,3,H,W] x) => (float[] y)
      <float[8,3,1,1] w1 = {...}, float[2,8,1,1] w2 = {...}, int64 i0 = {0}, int64 i1 = {1},
       int64[1] v0 = {0}, int64[1] v1 = {1}, int64[1] v2 = {2}, int64[1] v4 = {4}, int64[1] rest = {-1},
       int64[2] double = {2, 2}, int64[1] eight = {8}>
      {
        [conv1] t = Conv (x, w1)
        s = Shape (t)
        \(body)
      }
      """)
  }

  private let halves = "front = Slice (s, v0, v2)\n back = Slice (s, v2, v4)\n"

  @Test func sizesOfAResize() throws {
    let found = try model(
      halves + """
        larger = Mul (back, double)
        sizes = Concat <axis = 0> (front, larger)
        r = Resize (t, , , sizes)
        y = Conv (r, w2)
        """)
    #expect(found.cuttable == ["conv1, 8 channels: w1[0] w2[1] t[1] r[1]"])
  }

  /// The number of channels is written out, and nothing would change it.
  @Test func sizesThatStay() throws {
    let found = try model(
      halves + """
        batch = Slice (s, v0, v1)
        sizes = Concat <axis = 0> (batch, eight, back)
        r = Resize (t, , , sizes)
        y = Conv (r, w2)
        """)
    #expect(found.cuttable == [])
    #expect(
      found.pin(of: "w1", axis: 0)?.hasSuffix("(Resize): target shape is not constant") == true)
  }

  @Test func targetsOfOtherOperators() throws {
    let reshape = try model(
      """
      n = Gather (s, i0)
      c = Gather (s, i1)
      nv = Unsqueeze (n, v0)
      cv = Unsqueeze (c, v0)
      flat = Concat <axis = 0> (nv, cv, rest)
      f = Reshape (t, flat)
      back = Reshape (f, s)
      y = Conv (back, w2)
      """)
    #expect(reshape.cuttableAxes(of: "w1") == [0])
    #expect(reshape.cuttableAxes(of: "f") == [1])
    let expand = try model(
      """
      one = ReduceMean <keepdims = 1> (t, rest)
      e = Expand (one, s)
      y = Conv (e, w2)
      """)
    #expect(expand.cuttableAxes(of: "w1") == [0])
    let fill = try model(
      """
      z = ConstantOfShape (s)
      a = Add (t, z)
      y = Conv (a, w2)
      """)
    #expect(fill.cuttable == ["conv1, 8 channels: w1[0] w2[1] t[1] z[1] a[1]"])
  }

  /// A read extent makes two axes one that are not tied otherwise.
  @Test func extentOfAnotherAxis() throws {
    let found = try CoupledModel(
      """
      main (float[N,3] x) => (float[N,2] y, float[N,2] z)
      <float[3,4] w1 = {...}, float[4,2] w2 = {...}, float[4,2] w3 = {...}, float[1] one = {1}>
      {
        [fc1] t = MatMul (x, w1)
        s = Shape (t)
        e = Expand (one, s)
        y = MatMul (t, w2)
        z = MatMul (e, w3)
      }
      """)
    #expect(found.cuttable == ["fc1, 4 channels: w1[1] w2[0] w3[0] t[1] e[1]"])
  }

  @Test func extentsThatLeave() throws {
    let found = try CoupledModel(
      """
      main (float[N,3] x, bool b) => (float[N,2] y, int64[1] z)
      <float[3,4] w1 = {...}, float[4,2] w2 = {...}, int64 i1 = {1}>
      {
        [fc1] t = MatMul (x, w1)
        s = Shape (t)
        c = Gather (s, i1)
        [if] z = If (b) <
          then_branch = yes () => (int64[1] u) { v = Constant <value_ints = [0]> ()  u = Unsqueeze (c, v) },
          else_branch = no () => (int64[1] u) { u = Constant <value_ints = [1]> () }>
        y = MatMul (t, w2)
      }
      """)
    #expect(found.cuttable == [])
    #expect(found.pin(of: "w1", axis: 1) == "node 'if' (If): its extent is used inside a subgraph")
  }
}
