import Foundation
import PrunecFiles
import PrunecGraphIR
import PrunecSelection

extension TimingCommand {
  /// Seconds after which a command is killed: for the first model, and for each further one.
  private static let (patience, patienceForMore) = (120.0, 10.0)
  private static let shell = "/bin/sh"
  private static let linesOfComplaint = 5

  /// Runs the command on the models at `paths`, a single one where it does not take several, and returns the times that it
  /// prints, in seconds. What it writes goes by way of files in `folder`.
  ///
  /// Throws a failed check, with the command and the last lines that it wrote on standard error, where it cannot be started,
  /// takes longer than two minutes, does not end with exit code 0, or prints too few numbers.
  func seconds(
    of paths: [String], in folder: TemporaryFolder, patience: Double = Self.patience
  ) throws(CompileError) -> [Double] {
    let line = line(for: paths)
    let (output, errors) = (folder.path(of: "output"), folder.path(of: "errors"))
    let limit = patience + Self.patienceForMore * Double(paths.count - 1)
    let ending = try Self.run(line, output: output, errors: errors, limit: limit)
    func failure(_ reason: String) -> CompileError {
      let complaint = Self.text(at: errors).split(whereSeparator: \.isNewline)
        .suffix(Self.linesOfComplaint)
      return CompileError(
        .checkFailed, "the command that measures times \(reason)",
        notes: ["the command: \(line)"] + complaint.map { "it said: \($0)" })
    }
    switch ending {
    case .exit(0): break
    case .exit(let code): throw failure("has failed with exit code \(code)")
    case .signal(let number): throw failure("has been killed by signal \(number)")
    case .tooLate: throw failure("has been killed: it took longer than \(Int(limit)) seconds")
    }
    guard let times = Self.times(in: Self.text(at: output), count: paths.count) else {
      throw failure(
        paths.count == 1
          ? "has printed no time: a number above 0 is expected on standard output"
          : "has not printed a time for each of \(paths.count) models, a line each")
    }
    return times.map { $0 / 1000 }
  }

  private static func text(at path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
  }

  private enum Ending {
    case exit(Int32)
    case signal(Int32)
    case tooLate
  }

  /// Runs a line of the shell, which gets a process group of its own, so that all that it starts can be killed.
  private static func run(
    _ line: String, output: String, errors: String, limit: Double
  ) throws(CompileError) -> Ending {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let writing = O_WRONLY | O_CREAT | O_TRUNC
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, writing, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errors, writing, 0o600)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // Signals that this process ignores are not for the command to ignore.
    var ignored = sigset_t()
    sigemptyset(&ignored)
    for number in [SIGPIPE, SIGXFSZ] { sigaddset(&ignored, number) }
    posix_spawnattr_setsigdefault(&attributes, &ignored)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP) | Int16(POSIX_SPAWN_SETSIGDEF))
    posix_spawnattr_setpgroup(&attributes, 0)
    let variables = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" }
    var arguments = [shell, "-c", line].map { (text: String) in strdup(text) } + [nil]
    var environment = variables.map { (text: String) in strdup(text) } + [nil]
    defer { for text in arguments + environment { free(text) } }
    var process = pid_t()
    let failure = posix_spawn(&process, shell, &actions, &attributes, &arguments, &environment)
    guard failure == 0 else {
      throw CompileError(
        .checkFailed, "\(shell) cannot be started: \(String(cString: strerror(failure)))")
    }
    let end = Interruption.kill(group: process)
    return withExtendedLifetime(end) { wait(for: process, limit: limit) }
  }

  private static func wait(for process: pid_t, limit: Double) -> Ending {
    let start = ContinuousClock.now
    var status: Int32 = 0
    while waitpid(process, &status, WNOHANG) == 0 {
      if (ContinuousClock.now - start) / .seconds(1) > limit {
        kill(-process, SIGKILL)
        waitpid(process, &status, 0)
        return .tooLate
      }
      usleep(2000)
    }
    // The macros of wait.h: the low seven bits are a signal, the second byte is an exit code.
    let signal = status & 0x7f
    return signal == 0 ? .exit(status >> 8 & 0xff) : .signal(signal)
  }
}
