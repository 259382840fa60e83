/// Disjoint sets of the numbers below a bound that can grow, with union by size and path halving
/// (Tarjan and van Leeuwen, "Worst-case analysis of set union algorithms", JACM 1984).
struct UnionFind {
  /// Parent of each element; of a root, the negated size of its set.
  private var links: [Int32]
  /// For each root, the first reason for which its set is pinned; 0 for none.
  private var pins: [Int32]
  /// For each root, whether an element of its set is marked.
  private var marks: [Bool]

  init(count: Int) {
    links = [Int32](repeating: -1, count: count)
    pins = [Int32](repeating: 0, count: count)
    marks = [Bool](repeating: false, count: count)
  }

  var count: Int { links.count }

  /// Adds `count` singletons and returns the first.
  mutating func append(_ count: Int) -> Int {
    links.append(contentsOf: repeatElement(-1, count: count))
    pins.append(contentsOf: repeatElement(0, count: count))
    marks.append(contentsOf: repeatElement(false, count: count))
    return links.count - count
  }

  mutating func find(_ element: Int) -> Int {
    var current = element
    while links[current] >= 0 {
      let parent = Int(links[current])
      if links[parent] >= 0 { links[current] = links[parent] }
      current = parent
    }
    return current
  }

  mutating func union(_ a: Int, _ b: Int) {
    var (root, child) = (find(a), find(b))
    guard root != child else { return }
    if links[root] > links[child] { swap(&root, &child) }
    links[root] += links[child]
    links[child] = Int32(root)
    if marks[child] { marks[root] = true }
    // The earlier reason is the one to tell: reasons are numbered in order of discovery.
    if pins[child] != 0, pins[root] == 0 || pins[child] < pins[root] { pins[root] = pins[child] }
  }

  /// Pins the set of `element` for `reason`, unless an earlier reason holds.
  mutating func pin(_ element: Int, because reason: Int32) {
    let root = find(element)
    if pins[root] == 0 { pins[root] = reason }
  }

  /// Marks the set of `element`.
  mutating func mark(_ element: Int) { marks[find(element)] = true }

  mutating func isMarked(_ element: Int) -> Bool { marks[find(element)] }

  /// The reason for which the set of `element` is pinned; 0 for none.
  mutating func pin(of element: Int) -> Int32 { pins[find(element)] }
}
