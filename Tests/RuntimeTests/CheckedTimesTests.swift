import PrunecRuntime
import Testing

/// Times of parts where measurements are disturbed, or the table is wrong.
@Suite struct CheckedTimesTests {
  private let table = LatencyTable(path: nil, title: "test")

  /// Asks for parts whose measurements come to `times`, one after the other, the last again and again.
  private func ask(
    _ times: [String: [Double]], expectedMost: Double = .infinity
  ) -> (seconds: [String: Double], counts: [String: Int]) {
    let names = times.keys.sorted()
    var counts: [String: Int] = [:]
    let found = CheckedTimes(table).seconds(
      of: names.map { CheckedTimes.Part($0, expectedMost: expectedMost) }
    ) { index, _ in
      let own = times[names[index]]!
      let count = counts[names[index], default: 0]
      counts[names[index]] = count + 1
      return own[min(count, own.count - 1)]
    }
    var seconds: [String: Double] = [:]
    for (name, time) in zip(names, found) { seconds[name] = time }
    return (seconds, counts)
  }

  @Test func theLeastOfTwoThatAgree() {
    let (seconds, counts) = ask(["a": [1.1, 1], "b": [100, 2, 2.1]])
    #expect(seconds == ["a": 1, "b": 2])
    #expect(counts == ["a": 2, "b": 3])
    #expect(table["b"] == 2)
  }

  /// Two disturbed measurements may agree: what is above all that can be expected is measured again.
  @Test func whatIsNotExpectedIsMeasuredAgain() {
    #expect(ask(["a": [100, 100, 1, 1]], expectedMost: 2).seconds == ["a": 1])
    // In the end the machine is right.
    let (seconds, counts) = ask(["b": [5]], expectedMost: 2)
    #expect(seconds == ["b": 5])
    #expect(counts["b"]! <= 6)
  }

  @Test func theTableIsConfirmed() {
    table["a"] = 1
    let (seconds, counts) = ask(["a": [1.2]])
    #expect(seconds == ["a": 1])
    #expect(counts == ["a": 1])
    // One disturbed measurement says nothing against the table.
    #expect(ask(["a": [50, 1.1]]).seconds == ["a": 1])
  }

  @Test func aWrongTableIsCorrected() {
    for wrong in [1e-9, 0, -1, 0.5, 2, 1e6, .infinity, .nan] {
      table["a"] = wrong
      #expect(ask(["a": [1.05, 1]]).seconds == ["a": 1])
      #expect(table["a"] == 1)
    }
  }

  @Test func eachIsAskedForOnce() {
    let times = CheckedTimes(table)
    var count = 0
    for _ in 0..<3 {
      let found = times.seconds(
        of: [.init("a", expectedMost: 2), .init("a", expectedMost: 2)]
      ) { _, _ in
        count += 1
        return 1
      }
      #expect(found == [1, 1])
    }
    #expect(count == 2)
    #expect(times.seconds(of: [.init("b", expectedMost: 2)]) { _, _ in nil } == [nil])
  }
}
