import Glibc
import PrunecGraphIR

/// A file that appears under its name whole or not at all: written without a name where the file system
/// can do that (an interrupted run then leaves nothing behind), flushed to the disk, and given its
/// name by way of a temporary one. What is not a regular file, such as `/dev/null`, is written to
/// directly.
final class OutputFile {
  private static let bufferSize = 1 << 16

  /// `O_TMPFILE` of Linux, whose definition Swift does not import.
  private static let withoutName: Int32 = 0o20_000_000 | O_DIRECTORY

  let path: String
  private let temporaryPath: String?
  /// Whether the file has its temporary name.
  private var isNamed = false
  private let descriptor: Int32
  private var buffer: UnsafeMutableRawBufferPointer
  private var buffered = 0
  private var isCommitted = false
  /// The first error of a write; `append` is called by C and cannot throw.
  private var failure: String?
  private(set) var byteCount = 0

  /// Opens a temporary file beside `path`.
  ///
  /// Throws `.inputOutput` where it cannot be made.
  init(path: String) throws(CompileError) {
    self.path = path
    var status = stat()
    let exists = stat(path, &status) == 0
    let kind = status.st_mode & S_IFMT
    guard !exists || kind != S_IFDIR else {
      throw CompileError(.inputOutput, "cannot write '\(path)': it is a folder")
    }
    if exists && kind != S_IFREG {
      temporaryPath = nil
      descriptor = open(path, O_WRONLY | O_CLOEXEC)
    } else {
      let folder = folder(of: path)
      let nameless = open(folder, Self.withoutName | O_WRONLY | O_CLOEXEC, 0o666)
      let (temporary, opened) = Self.openTemporary(in: folder, nameless: nameless)
      temporaryPath = temporary
      descriptor = opened
      isNamed = nameless < 0 && opened >= 0
    }
    guard descriptor >= 0 else {
      throw CompileError(.inputOutput, "cannot write '\(path)': \(lastSystemError())")
    }
    if exists && kind == S_IFREG { fchmod(descriptor, status.st_mode & 0o7777) }
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 16)
  }

  deinit {
    close(descriptor)
    buffer.deallocate()
    if let temporaryPath, isNamed, !isCommitted { unlink(temporaryPath) }
  }

  /// The name holds the process, so that two of them do not meet, and is short whatever the model's
  /// is.
  private static func openTemporary(
    in folder: String, nameless: Int32
  ) -> (path: String, descriptor: Int32) {
    var number = 0
    while true {
      // Two nameless files that are open at once differ by their descriptors.
      if nameless >= 0 { return ("\(folder)/.prunec-\(getpid())-fd\(nameless).tmp", nameless) }
      let path = "\(folder)/.prunec-\(getpid())-\(number).tmp"
      let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      if descriptor >= 0 || errno != EEXIST { return (path, descriptor) }
      number += 1
    }
  }

  /// Appends bytes; errors are reported by `finish`.
  func append(_ bytes: UnsafeRawBufferPointer) {
    byteCount += bytes.count
    if bytes.count > buffer.count - buffered { flush() }
    if bytes.count > buffer.count {
      write(bytes)
    } else if !bytes.isEmpty {
      UnsafeMutableRawBufferPointer(rebasing: buffer[buffered...]).copyMemory(from: bytes)
      buffered += bytes.count
    }
  }

  /// Appends zeros up to the offset `end`.
  func pad(to end: Int) {
    let zeros = [UInt8](repeating: 0, count: 4096)
    while byteCount < end {
      zeros.withUnsafeBytes {
        append(UnsafeRawBufferPointer(rebasing: $0[..<min($0.count, end - byteCount)]))
      }
    }
  }

  private func flush() {
    write(UnsafeRawBufferPointer(rebasing: buffer[..<buffered]))
    buffered = 0
  }

  private func write(_ bytes: UnsafeRawBufferPointer) {
    var rest = bytes
    while !rest.isEmpty, failure == nil {
      let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if count >= 0 {
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      } else if errno != EINTR {
        failure = lastSystemError()
      }
    }
  }

  /// Writes what is buffered through to the disk.
  ///
  /// Throws `.inputOutput` for the first error since the file was opened.
  func finish() throws(CompileError) {
    flush()
    if failure == nil, temporaryPath != nil, fsync(descriptor) != 0 { failure = lastSystemError() }
    if let failure { throw CompileError(.inputOutput, "cannot write '\(path)': \(failure)") }
  }

  /// Gives the finished file its name, in place of what may have had it.
  func commit() throws(CompileError) {
    guard let temporaryPath else { return }
    if !isNamed {
      let link = "/proc/self/fd/\(descriptor)"
      guard linkat(AT_FDCWD, link, AT_FDCWD, temporaryPath, AT_SYMLINK_FOLLOW) == 0 else {
        throw CompileError(.inputOutput, "cannot write '\(path)': \(lastSystemError())")
      }
      isNamed = true
    }
    guard rename(temporaryPath, path) == 0 else {
      throw CompileError(.inputOutput, "cannot write '\(path)': \(lastSystemError())")
    }
    isCommitted = true
  }

  /// Makes the new names in the folder of `path` last.
  static func synchronizeFolder(of path: String) {
    let descriptor = open(folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    // Some file systems cannot; the file itself is on the disk already.
    fsync(descriptor)
    close(descriptor)
  }
}

/// The folder that holds the file at `path`.
func folder(of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}
