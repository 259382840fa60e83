import Foundation
import Synchronization

/// One line on standard error that says what is being done, where that is a terminal.
final class Progress: Sendable {
  private let isShown: Bool
  private let width = Mutex(0)

  init(isQuiet: Bool) { isShown = !isQuiet && isatty(2) == 1 }

  /// Replaces the line.
  @Sendable func show(_ step: String) {
    guard isShown else { return }
    width.withLock { width in
      let blank = String(repeating: " ", count: max(0, width - step.count))
      FileHandle.standardError.write(Data("\r\(step)\(blank)".utf8))
      width = step.count
    }
  }

  /// Clears the line.
  func finish() {
    guard isShown else { return }
    show("")
    FileHandle.standardError.write(Data("\r".utf8))
  }
}
