import PrunecGraphIR
import PrunecPassKit
import PrunecTensors
import Testing

/// Remainder of the original's constants, told from cuts of those that stand for them.
@Suite struct ShrinkageTests {
  private var graph = Graph(name: "g", opsetImports: [OpsetImport("", 21)])
  private let w: ValueID
  private let s: ValueID
  private let add: NodeID

  init() {
    w = graph.addInitializer(name: "w", Tensor([1, 2, 3, 4], shape: [4]))
    s = graph.addInitializer(name: "s", Tensor([1, 2, 3, 4], shape: [4]))
    add = graph.insert(
      OperationName("Add"), name: "add", inputs: [w, s], outputs: [("y", nil)], at: .atEnd)
  }

  /// A constant in use that stands for `s`.
  private mutating func copyOfS() -> ValueID {
    let s = s
    let copy = graph.build(before: add) { build in
      let copy = build.addConstant(
        Tensor([1, 2, 3, 4], shape: [4]), "copy", axes: [0: [Axis(s, 0)]])
      _ = build.add("Neg", [copy])
      return copy
    }
    return copy
  }

  private func kept(_ cuts: [[Axis: [Int]]]) -> [Axis: [Int]] {
    var shrinkage = Shrinkage()
    for cut in cuts { shrinkage.append(cut, of: graph) }
    return shrinkage.keptOfOriginal
  }

  @Test mutating func constantsThatWereMergedAreCutAlike() {
    graph.addOrigins(of: [Axis(s, 0)], to: Axis(w, 0))
    graph.setInput(1, of: add, to: w)
    #expect(kept([[Axis(w, 0): [0, 2]]]) == [Axis(w, 0): [0, 2], Axis(s, 0): [0, 2]])
  }

  @Test mutating func furtherCutsCountWhatIsLeft() {
    let copy = copyOfS()
    graph.setInput(1, of: add, to: w)
    let cuts: [[Axis: [Int]]] = [[Axis(copy, 0): [0, 2, 3]], [Axis(copy, 0): [1, 2]]]
    #expect(kept(cuts)[Axis(s, 0)] == [2, 3])
  }

  @Test mutating func thereIsNoOneCutOfWhatIsCutDifferently() {
    let copy = copyOfS()
    let axis = Axis(s, 0)
    #expect(kept([[axis: [0, 1], Axis(copy, 0): [0, 1]]])[axis] == [0, 1])
    #expect(kept([[axis: [0, 1], Axis(copy, 0): [0, 2]]])[axis] == nil)
    // Nor of what is cut in one place only, even if the other place follows.
    #expect(kept([[axis: [0, 1]]])[axis] == nil)
    #expect(kept([[axis: [0, 1]], [Axis(copy, 0): [0, 3]]])[axis] == nil)
  }
}
