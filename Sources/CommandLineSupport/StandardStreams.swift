@preconcurrency import Glibc

/// Standard input, output and error of the process.
package enum StandardStreams {
  /// Keeps the places of streams that the caller has closed from files that are opened later. Writing to them goes on failing.
  static func occupy() {
    for descriptor: Int32 in 0...2 where fcntl(descriptor, F_GETFD) < 0 {
      _ = open("/dev/null", O_RDONLY)
    }
  }

  /// Whether all that has been printed has gone out; `errno` says why not.
  static func flushOutput() -> Bool { fflush(stdout) == 0 && ferror(stdout) == 0 }

  /// Writes `text` to standard error, as far as that is possible.
  package static func writeError(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
      guard count > 0 || errno == EINTR else { return }
      rest = rest.dropFirst(max(0, count))
    }
  }
}
