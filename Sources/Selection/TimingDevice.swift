import Foundation
import PrunecGraphIR

/// Device that a model is timed on.
public enum TimingDevice: Sendable, Hashable {
  /// prunec's own runtime, on so many threads; on every processor's where that is `nil`.
  case runtime(threads: Int?)
  /// Whatever a command of the user's runs models on.
  case command(TimingCommand)

  /// The device of which one kind is given; the runtime where none is.
  ///
  /// Throws a usage error where threads are given for a command, or a name for what is no command.
  public init(threads: Int?, command: String?, name: String?) throws(CompileError) {
    guard let command else {
      guard name == nil else { throw CompileError(.usage, "device is for measure") }
      self = .runtime(threads: threads)
      return
    }
    guard threads == nil else {
      throw CompileError(.usage, "threads is not for measure: the command decides")
    }
    self = .command(TimingCommand(command, device: name))
  }
}

/// A command of the shell that prints how long models take, in milliseconds.
public struct TimingCommand: Sendable, Hashable {
  /// The command, with `{model}` or `{models}` where the paths of models go.
  public let text: String
  /// Name of the device that it runs models on; `nil` for this machine.
  public let device: String?

  /// Places in a command for the path of one model, and for the paths of several.
  public static let (placeOfOne, placeOfSeveral) = ("{model}", "{models}")

  public init(_ text: String, device: String? = nil) { (self.text, self.device) = (text, device) }

  /// Whether `text` has a place for models.
  public static func isCommand(_ text: String) -> Bool {
    text.contains(placeOfOne) || text.contains(placeOfSeveral)
  }

  /// Whether one call times several models.
  public var takesSeveral: Bool { text.contains(Self.placeOfSeveral) }

  /// The command for the models at `paths`, which the shell takes as they are.
  public func line(for paths: [String]) -> String {
    let quoted = paths.map {
      "'"
        + $0.split(separator: "'", omittingEmptySubsequences: false)
        .joined(separator: "'\\''") + "'"
    }.joined(separator: " ")
    return text.components(separatedBy: Self.placeOfSeveral).map {
      $0.components(separatedBy: Self.placeOfOne).joined(separator: quoted)
    }.joined(separator: quoted)
  }

  /// The times that an output of the command gives, in milliseconds: the last number of each of the last `count` lines that have one.
  /// `nil` where there are fewer, and where one is not above zero.
  public static func times(in output: String, count: Int) -> [Double]? {
    let numbers = output.split(whereSeparator: \.isNewline).compactMap { line in
      line.matches(of: #/[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?/#).last.flatMap {
        Double($0.output.0)
      }
    }
    let last = Array(numbers.suffix(count))
    return last.count == count && last.allSatisfy { $0 > 0 && $0 < 1e9 } ? last : nil
  }
}
