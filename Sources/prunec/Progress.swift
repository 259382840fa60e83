import Glibc
import PrunecCommandLineSupport
import Synchronization

/// One line on standard error that says what is being done, where that is a terminal.
final class Progress: Sendable {
  private struct State {
    var width = 0
    /// The step that is being done, and since when.
    var step = ""
    var start = ContinuousClock.now
  }

  private let isShown: Bool
  private let state = Mutex(State())

  init(isQuiet: Bool) { isShown = !isQuiet && isatty(2) == 1 }

  /// Begins a step and shows its name.
  @Sendable func show(_ step: String) {
    state.withLock { state in
      (state.step, state.start) = (step, .now)
      write(step, &state)
    }
  }

  /// Shows how far the step has come, from 0 to 1, and how long it will take from here on at its pace.
  @Sendable func advance(_ share: Double) {
    state.withLock { state in
      let passed = (ContinuousClock.now - state.start) / .seconds(1)
      let left = share > 0.02 && passed > 1 ? ", \(Int(passed / share * (1 - share))) s left" : ""
      write("\(state.step) \(Self.bar(share))\(left)", &state)
    }
  }

  /// Replaces the line.
  private func write(_ text: String, _ state: inout State) {
    guard isShown else { return }
    let blank = String(repeating: " ", count: max(0, state.width - text.count))
    StandardStreams.writeError("\r\(text)\(blank)")
    state.width = text.count
  }

  /// A bar of what is done, from 0 to 1.
  static func bar(_ share: Double) -> String {
    let width = 30
    let filled = max(0, min(width, Int(Double(width) * share)))
    return "[" + String(repeating: "=", count: filled)
      + String(repeating: " ", count: width - filled) + "] \(Int(share * 100)) %"
  }

  /// Clears the line.
  func finish() {
    guard isShown else { return }
    show("")
    StandardStreams.writeError("\r")
  }
}
