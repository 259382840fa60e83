import Glibc
import PrunecFiles
import PrunecGraphIR
import PrunecONNXFormat

/// The files that a command reads and those that it writes. No file of the latter may be another of either, under whatever name.
package struct CommandFiles {
  private var read: Set<FileIdentity>
  /// Resolved paths of the folders that are read, each with a slash at its end.
  private var readFolders: [String] = []
  private var written: Set<FilePlace> = []
  private var paths: [String] = []

  /// `model` are the files of the models, which are read, and `paths` what else is: files, and folders with all that is in them.
  package init(reading model: [FileIdentity], _ paths: [String] = []) {
    read = Set(model)
    for path in paths {
      guard let identity = FileIdentity(path: path) else { continue }
      read.insert(identity)
      if let resolved = Self.resolved(path), access(resolved + "/.", F_OK) == 0 {
        readFolders.append(resolved + "/")
      }
    }
  }

  /// Announces that a file is written, before any work.
  ///
  /// Throws a usage error, which ends in `advice`, where it is one that is read, unless `replaces`, or one that is written already; and
  /// an input/output error where it could not be written.
  package mutating func write(
    _ path: String, replaces: Bool = false, advice: String = "choose another file"
  ) throws {
    func refuse(_ reason: String) -> LocatedError {
      LocatedError(CompileError(.usage, reason), in: path)
    }
    guard let place = FilePlace(path: path) else {
      throw LocatedError(
        CompileError(.inputOutput, "cannot be written: \(lastSystemError())"), in: path)
    }
    if case .file(let identity) = place, identity == FileIdentity(path: "/dev/null") { return }
    if case .file(let identity) = place, !replaces {
      let resolved = Self.resolved(path) ?? path
      guard !read.contains(identity), !readFolders.contains(where: { resolved.hasPrefix($0) })
      else {
        throw refuse("is what this run reads; \(advice)")
      }
    }
    let name = fileName(of: path)
    let meetsData = paths.contains { other in
      folder(of: other) == folder(of: path)
        && (ExternalDataName.isName(name, ofDataFor: fileName(of: other))
          || ExternalDataName.isName(fileName(of: other), ofDataFor: name))
    }
    guard written.insert(place).inserted, !meetsData else {
      throw refuse("two outputs go to the same file")
    }
    paths.append(path)
    try LocatedError.at(path) { () throws(CompileError) in try OutputFile.checkPermissions(of: path)
    }
  }

  /// Whether one of the files that are written is where standard output goes, which belongs to it alone then.
  package var takesStandardOutput: Bool { paths.contains(where: OutputFile.isStandardOutput) }

  /// Prints `text` unless a file takes standard output.
  package func print(_ text: @autoclosure () throws -> String) rethrows {
    if !takesStandardOutput { Swift.print(try text()) }
  }

  private static func resolved(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
