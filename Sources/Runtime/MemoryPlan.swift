/// Where in the arena each buffer lies: buffers that are never in use at the same time share memory.
///
/// Largest first, each at the lowest place that is free for as long as it is in use. In general that is no
/// optimum, but on most networks it comes to the lower bound: the most that is in use at one time. Where it does not,
/// other orders are tried.
struct MemoryPlan {
  /// For each buffer, in bytes; zero for constants.
  private(set) var offsets: [Int]
  private(set) var size = 0
  /// The most bytes that are in use at one time: no plan takes less.
  private(set) var lowerBound = 0
  /// For each step, the bytes that are in use while it runs.
  private(set) var bytesInUse: [Int] = []

  /// For each buffer, the first and last step that use it.
  private struct Lifetime {
    var first: Int
    var last: Int
    var size: Int
    /// The buffer whose memory it takes over.
    var host: Int?
  }

  private static let alignment = 64

  /// A plan for `steps` and `buffers`. `inputs` are in use from the beginning and `outputs` to the end.
  init(_ steps: [Step], _ buffers: [Buffer], inputs: [Int], outputs: [Int]) {
    var lifetimes = buffers.map { buffer -> Lifetime in
      let size = buffer.constant == nil ? buffer.byteCount : 0
      return Lifetime(
        first: .max, last: -1,
        size: (size + Self.alignment - 1) / Self.alignment * Self.alignment, host: nil)
    }
    for input in inputs { lifetimes[input].first = -1 }
    for (index, step) in steps.enumerated() {
      for buffer in step.writes + step.reads {
        lifetimes[buffer].first = min(lifetimes[buffer].first, index)
        lifetimes[buffer].last = max(lifetimes[buffer].last, index)
      }
    }
    for output in outputs { lifetimes[output].last = steps.count }
    for (index, step) in steps.enumerated() {
      for (operand, result) in step.replaceable {
        let (from, to) = (Self.host(of: operand.buffer, lifetimes), result.buffer)
        guard buffers[from].constant == nil, buffers[to].constant == nil, from != to,
          lifetimes[to].host == nil, lifetimes[from].size == lifetimes[to].size,
          lifetimes[from].last == index, lifetimes[to].first == index,
          operand.offset == result.offset,
          step.reads.count(where: { $0 == operand.buffer }) == 1
        else { continue }
        lifetimes[to].host = from
        lifetimes[from].last = lifetimes[to].last
        break
      }
    }

    let placed = buffers.indices.filter {
      lifetimes[$0].host == nil && lifetimes[$0].size > 0
        && lifetimes[$0].last >= lifetimes[$0].first
    }
    var changes: [Int: Int] = [:]
    for buffer in placed {
      changes[lifetimes[buffer].first, default: 0] += lifetimes[buffer].size
      changes[lifetimes[buffer].last + 1, default: 0] -= lifetimes[buffer].size
    }
    var inUse = changes[-1, default: 0]
    lowerBound = inUse
    for step in steps.indices {
      inUse += changes[step, default: 0]
      bytesInUse.append(inUse)
      lowerBound = max(lowerBound, inUse)
    }

    offsets = []
    size = .max
    for priority in Self.priorities where size > lowerBound {
      let order = placed.sorted {
        (priority(lifetimes[$1]), $0) < (priority(lifetimes[$0]), $1)
      }
      let attempt = Self.place(order, lifetimes)
      if attempt.size < size { (offsets, size) = attempt }
    }
    for buffer in buffers.indices where lifetimes[buffer].host != nil {
      offsets[buffer] = offsets[Self.host(of: buffer, lifetimes)]
    }
  }

  /// What comes first, greatest first: large buffers, those that are in use for long, both, or from early on.
  private static let priorities: [@Sendable (Lifetime) -> Int] = [
    { $0.size }, { $0.size * ($0.last - $0.first + 1) }, { $0.last - $0.first }, { -$0.first },
  ]

  /// Places buffers in an order, each at the lowest place that is free for as long as it is in use.
  private static func place(
    _ order: [Int], _ lifetimes: [Lifetime]
  ) -> (offsets: [Int], size: Int) {
    var offsets = [Int](repeating: 0, count: lifetimes.count)
    var size = 0
    var placed: [Int] = []
    for buffer in order {
      let own = lifetimes[buffer]
      let taken = placed.filter {
        lifetimes[$0].first <= own.last && own.first <= lifetimes[$0].last
      }.map { (offsets[$0], offsets[$0] + lifetimes[$0].size) }.sorted { $0 < $1 }
      var offset = 0
      for (start, end) in taken {
        if start - offset >= own.size { break }
        offset = max(offset, end)
      }
      offsets[buffer] = offset
      size = max(size, offset + own.size)
      placed.append(buffer)
    }
    return (offsets, size)
  }

  private static func host(of buffer: Int, _ lifetimes: [Lifetime]) -> Int {
    var buffer = buffer
    while let host = lifetimes[buffer].host { buffer = host }
    return buffer
  }
}
