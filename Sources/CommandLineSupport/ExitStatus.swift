import ArgumentParser
import Foundation
import PrunecFiles
import PrunecGraphIR

/// The exit codes of prunec's commands.
///
/// | code | meaning |
/// | ---- | ------- |
/// | 0    | done |
/// | 1    | a check or threshold failed |
/// | 2    | usage |
/// | 3    | malformed model or array |
/// | 4    | unsupported, under `--strict`, or more memory is needed than there is |
/// | 5    | a file could not be read or written, or has changed while it was read |
/// | 6    | an error in prunec |
/// | 7    | the result has been written, and could not be checked |
package enum ExitStatus {
  /// The result has been written, and could not be checked.
  package static let unchecked = ExitCode(7)

  package static func code(for kind: CompileError.Kind) -> Int32 {
    switch kind {
    case .checkFailed: 1
    case .usage: 2
    case .malformed: 3
    case .unsupported: 4
    case .inputOutput: 5
    case .internalError: 6
    }
  }

  /// Parses the arguments, runs the command, and exits with its status.
  package static func run<Command: ParsableCommand>(_ type: Command.Type) -> Never {
    FreedMemory.keep()
    StandardStreams.occupy()
    Interruption.install()
    do {
      try checkArguments()
      var command = try Command.parseAsRoot()
      try command.run()
      try MappedFile.checkUnchanged()
      succeed()
    } catch let failure as LocatedError {
      writeError(failure.error.diagnostics.map { $0.rendered(file: failure.file) })
      exit(code(for: failure.error.kind))
    } catch let error as CompileError {
      writeError(error.diagnostics.map { $0.rendered(file: nil) })
      exit(code(for: error.kind))
    } catch {
      let status = Command.exitCode(for: error)
      let message = Command.fullMessage(for: error)
      if status.isSuccess {
        print(message)
        succeed()
      }
      if !message.isEmpty { writeError([message]) }
      exit(status == .validationFailure ? 2 : status.rawValue)
    }
  }

  /// Ends the process; what cannot be printed is no success.
  private static func succeed() -> Never {
    guard StandardStreams.flushOutput() else {
      writeError(["error: cannot write to standard output: \(lastSystemError())"])
      exit(code(for: .inputOutput))
    }
    exit(0)
  }

  /// Throws a usage error where an argument is not UTF-8: as text it would name another file.
  private static func checkArguments() throws(CompileError) {
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index], String(validatingCString: argument) == nil
      else { continue }
      throw CompileError(
        .usage, "argument \(index), '\(String(cString: argument))', is not UTF-8",
        notes: ["a file of such a name can be given by a symbolic link to it"])
    }
  }

  /// Writes lines to standard error. That nobody can read them changes nothing.
  package static func writeError(_ lines: [String]) {
    for line in lines { StandardStreams.writeError(line + "\n") }
  }
}

/// An error with the file it is about.
package struct LocatedError: Error {
  package let file: String
  package let error: CompileError

  package init(_ error: CompileError, in file: String) {
    self.error = error
    self.file = file
  }

  /// Runs `body`, and says of its errors that they are about `file`.
  @discardableResult
  package static func at<R>(_ file: String, _ body: () throws(CompileError) -> R) throws -> R {
    do {
      return try body()
    } catch {
      throw LocatedError(error, in: file)
    }
  }
}
