import Glibc
import PrunecGraphIR

/// A file that appears under its name whole or not at all: written without a name where the file system
/// can do that (an interrupted run then leaves nothing behind), flushed to the disk, and given its
/// name by way of a temporary one. What is not a regular file, such as `/dev/null`, is written to
/// directly, and so is what standard output goes to.
package final class OutputFile {
  private static let bufferSize = 1 << 16

  /// `O_TMPFILE` of Linux, whose definition Swift does not import.
  private static let withoutName: Int32 = 0o20_000_000 | O_DIRECTORY

  package let path: String
  /// Whether the bytes go to what has the name already, such as a device.
  package let isDirect: Bool
  /// The temporary name, while the file has it, and its removal.
  private var temporary: (path: String, removal: Interruption.Registration)?
  private let descriptor: Int32
  private var buffer: UnsafeMutableRawBufferPointer
  private var buffered = 0
  /// Of what has been appended.
  package private(set) var fingerprint = StreamFingerprint()
  /// The first error of a write; `append` is called by C and cannot throw.
  private var failure: String?
  package private(set) var byteCount = 0

  /// Opens a file for the contents of `path`, without that name as yet.
  ///
  /// Throws `.inputOutput` where it cannot be made, or what is there may not be written to.
  package init(path: String) throws(CompileError) {
    // A symbolic link stays one; what it leads to is replaced.
    let path = resolvingLinks(path)
    self.path = path
    let existing = try Self.permittedStatus(of: path)
    let isStandardOutput = Self.isStandardOutput(path)
    isDirect = isStandardOutput || existing.map { $0.st_mode & S_IFMT != S_IFREG } ?? false
    if isStandardOutput {
      descriptor = fcntl(1, F_DUPFD_CLOEXEC, 3)
    } else if isDirect {
      descriptor = open(path, O_WRONLY | O_CLOEXEC)
    } else {
      let nameless = open(folder(of: path), Self.withoutName | O_WRONLY | O_CLOEXEC, 0o666)
      if nameless >= 0 {
        descriptor = nameless
      } else {
        var opened: Int32 = -1
        temporary = Self.nameTemporary(beside: path) {
          opened = open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
          return opened >= 0
        }
        descriptor = opened
      }
    }
    guard descriptor >= 0 else {
      throw CompileError(.inputOutput, "cannot write '\(path)': \(lastSystemError())")
    }
    if let existing, !isDirect { fchmod(descriptor, existing.st_mode & 0o7777) }
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 16)
  }

  /// A finished file of `bytes`, to be committed.
  ///
  /// Throws `.inputOutput` where it cannot be written.
  package convenience init(_ bytes: [UInt8], for path: String) throws(CompileError) {
    try self.init(path: path)
    bytes.withUnsafeBytes { append($0) }
    try finish()
  }

  deinit {
    close(descriptor)
    buffer.deallocate()
    if let temporary { unlink(temporary.path) }
  }

  /// Whether `path` leads to what standard output goes to.
  package static func isStandardOutput(_ path: String) -> Bool {
    FileIdentity(path: path).map { $0 == FileIdentity(descriptor: 1) } ?? false
  }

  /// Status of the file at `path`; `nil` where there is none.
  ///
  /// Throws `.inputOutput` where it is a folder, or its permissions refuse writing, which renaming would not heed.
  private static func permittedStatus(of path: String) throws(CompileError) -> stat? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    let kind = status.st_mode & S_IFMT
    guard kind != S_IFDIR else {
      throw CompileError(.inputOutput, "cannot write '\(path)': it is a folder")
    }
    guard kind != S_IFREG || (status.st_mode & 0o222 != 0 && access(path, W_OK) == 0) else {
      throw CompileError(.inputOutput, "cannot write '\(path)': it is read-only")
    }
    return status
  }

  /// Throws `.inputOutput` where a file at `path` could not be written: its folder is missing or closed, or it is a folder or read-only.
  package static func checkPermissions(of path: String) throws(CompileError) {
    let path = resolvingLinks(path)
    guard try permittedStatus(of: path).map({ $0.st_mode & S_IFMT == S_IFREG }) ?? true,
      access(folder(of: path), W_OK) != 0
    else { return }
    throw CompileError(.inputOutput, "cannot be written: \(lastSystemError())")
  }

  /// Gives a file a temporary name, which `make` does for a path; `nil` where it cannot. The name holds the process, so that two of
  /// them do not meet, and is short whatever the file's is. One that an earlier process has left is passed over.
  private static func nameTemporary(
    beside path: String, _ make: (String) -> Bool
  ) -> (path: String, removal: Interruption.Registration)? {
    for number in 0..<10_000 {
      let path = "\(folder(of: path))/.prunec-\(getpid())-\(number).tmp"
      // Nothing is removed that another has made.
      guard access(path, F_OK) != 0 else { continue }
      let removal = Interruption.remove(.file, at: path)
      if make(path) { return (path, removal) }
      if errno != EEXIST { return nil }
    }
    return nil
  }

  /// Appends bytes; errors are reported by `finish`.
  package func append(_ bytes: UnsafeRawBufferPointer) {
    byteCount += bytes.count
    fingerprint.add(bytes)
    if bytes.count > buffer.count - buffered { flush() }
    if bytes.count > buffer.count {
      write(bytes)
    } else if !bytes.isEmpty {
      UnsafeMutableRawBufferPointer(rebasing: buffer[buffered...]).copyMemory(from: bytes)
      buffered += bytes.count
    }
  }

  /// Appends zeros up to the offset `end`.
  package func pad(to end: Int) {
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
  package func finish() throws(CompileError) {
    flush()
    if failure == nil, !isDirect, fsync(descriptor) != 0 { failure = lastSystemError() }
    if let failure { throw CompileError(.inputOutput, "cannot write '\(path)': \(failure)") }
  }

  /// Gives the finished file its name, or that of `path`, in place of what may have had it, and makes the name last.
  package func commit(as path: String? = nil) throws(CompileError) {
    guard !isDirect else { return }
    let path = path ?? self.path
    if temporary == nil {
      let link = "/proc/self/fd/\(descriptor)"
      temporary = Self.nameTemporary(beside: path) {
        linkat(AT_FDCWD, link, AT_FDCWD, $0, AT_SYMLINK_FOLLOW) == 0
      }
    }
    guard let temporary, rename(temporary.path, path) == 0 else {
      throw CompileError(.inputOutput, "cannot write '\(path)': \(lastSystemError())")
    }
    self.temporary = nil
    let folder = open(folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return }
    // Some file systems cannot; the file itself is on the disk already.
    fsync(folder)
    close(folder)
  }
}
