import Glibc

/// Times of parts by their signatures, each measured or confirmed at least once by this process.
///
/// Other programs make measured times longer, never shorter, and some of them by far. So a time is the least of several
/// measurements with those of other parts between them, as many as it takes until the two least agree, and no more than
/// could be expected. A time that a table gives counts if a measurement agrees with it.
package final class CheckedTimes {
  package struct Part {
    package let signature: String
    /// What takes longer than that, in seconds, is measured again.
    package let expectedMost: Double

    package init(_ signature: String, expectedMost: Double) {
      (self.signature, self.expectedMost) = (signature, expectedMost)
    }
  }

  private let table: LatencyTable
  private var isChecked: Set<String> = []

  package init(_ table: LatencyTable) { self.table = table }

  /// How far apart times are that agree.
  private static let agreement = 1.15
  /// How far measurement and table may be apart, where fewer runs are made.
  private static let tableAgreement = 1.3
  private static let roundLimit = 6
  /// Disturbances last for a scheduler's time slice; a part that is still measured after so many rounds waits for the
  /// next.
  private static let roundsWithoutPause = 2
  private static let pause: UInt32 = 4000

  /// The times of `parts`, in seconds; `nil` where `measure` knows none. That measures the part of an index, shortly where
  /// only a time of the table is to be confirmed.
  package func seconds(
    of parts: [Part], measure: (_ part: Int, _ isConfirmation: Bool) -> Double?
  ) -> [Double?] {
    var measured: [String: [Double]] = [:]
    var open = parts.indices.filter { !isChecked.contains(parts[$0].signature) }
    for round in 0..<Self.roundLimit where !open.isEmpty {
      if round >= Self.roundsWithoutPause { usleep(Self.pause) }
      var asked: Set<String> = []
      open = open.filter { index in
        let part = parts[index]
        guard asked.insert(part.signature).inserted,
          let seconds = measure(index, round == 0 && table[part.signature] != nil)
        else { return false }
        measured[part.signature, default: []].append(seconds)
        return !isSettled(part, measured[part.signature]!)
      }
    }
    for (signature, times) in measured {
      if !isConfirmed(signature, times) { table[signature] = times.min() }
      isChecked.insert(signature)
    }
    return parts.map { isChecked.contains($0.signature) ? table[$0.signature] : nil }
  }

  private func isConfirmed(_ signature: String, _ times: [Double]) -> Bool {
    guard let known = table[signature], known > 0 else { return false }
    return Self.agree(times.min()!, known, within: Self.tableAgreement)
  }

  private func isSettled(_ part: Part, _ times: [Double]) -> Bool {
    if isConfirmed(part.signature, times) { return true }
    let least = times.sorted().prefix(2)
    return least.count == 2 && least[0] <= part.expectedMost
      && Self.agree(least[0], least[1], within: Self.agreement)
  }

  private static func agree(_ a: Double, _ b: Double, within factor: Double) -> Bool {
    max(a, b) <= factor * min(a, b)
  }
}
