import PrunecSelection
import Testing

/// Commands that time models: where paths go, and what is read of their output.
@Suite struct TimingCommandTests {
  @Test func placesArePaths() {
    #expect(TimingCommand.isCommand("time {model}") && TimingCommand.isCommand("{models}"))
    #expect(!TimingCommand.isCommand("time model") && !TimingCommand.isCommand(""))
    #expect(!TimingCommand("a {model}").takesSeveral && TimingCommand("a {models}").takesSeveral)
    #expect(TimingCommand("a {model} b {model}").line(for: ["/m"]) == "a '/m' b '/m'")
    #expect(TimingCommand("a {models} b").line(for: ["/m", "/n"]) == "a '/m' '/n' b")
    #expect(TimingCommand("{model}").line(for: ["/it's; $x"]) == "'/it'\\''s; $x'")
  }

  @Test(arguments: [
    ("12.5\n", 1, [12.5]), ("mean of 10 runs: 3.25 ms\n\n", 1, [3.25]), ("1\n2\n", 1, [2]),
    ("warm-up 9\n1e-2\n.5", 2, [0.01, 0.5]), ("a 1\nnothing\nb 2 3\n", 2, [1, 3]),
    ("", 1, nil), ("no time", 1, nil), ("1", 2, nil), ("0", 1, nil), ("-4", 1, nil),
    ("1e30", 1, nil),
  ])
  func theLastNumbersAreTimes(_ output: String, _ count: Int, _ times: [Double]?) {
    #expect(TimingCommand.times(in: output, count: count) == times)
  }
}
