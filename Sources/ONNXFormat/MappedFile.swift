import Glibc
import PrunecGraphIR
import PrunecTensors

/// Which file a path leads to, whatever it is called.
public struct FileIdentity: Hashable, Sendable {
  let device: UInt64
  let inode: UInt64

  init(_ status: stat) {
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
  }

  /// The file that `path` leads to, symbolic links followed; `nil` where there is none.
  public init?(path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self.init(status)
  }
}

/// A regular file mapped into memory for reading, for as long as the object lives.
///
/// Tensors borrow their elements from it, so pages are read when an element is. A file that another
/// process shortens meanwhile takes its pages with it; replacing it by renaming does no harm.
final class MappedFile: RereadableBytes, @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer
  let identity: FileIdentity

  /// Maps the file at `path`.
  ///
  /// Throws `.inputOutput` where it cannot be opened or is no regular file.
  convenience init(path: String) throws(CompileError) {
    // Opening a pipe without a writer would wait for one.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw CompileError(.inputOutput, "cannot open '\(path)': \(lastSystemError())")
    }
    defer { close(descriptor) }
    try self.init(descriptor: descriptor, path: path, refusesHardLinks: false)
  }

  /// Maps an open file; `path` is for messages. The descriptor may be closed afterwards.
  init(descriptor: Int32, path: String, refusesHardLinks: Bool) throws(CompileError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw CompileError(.inputOutput, "cannot read '\(path)': \(lastSystemError())")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw CompileError(.inputOutput, "'\(path)' is not a regular file")
    }
    guard !refusesHardLinks || status.st_nlink == 1 else {
      throw CompileError(
        .inputOutput, "'\(path)' has \(status.st_nlink) names, some of which may be elsewhere",
        notes: ["a hard link cannot be told from a file outside of the model's folder; copy it"])
    }
    identity = FileIdentity(status)
    let count = Int(status.st_size)
    guard count > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let address, address != MAP_FAILED else {
      throw CompileError(.inputOutput, "cannot map '\(path)': \(lastSystemError())")
    }
    bytes = UnsafeRawBufferPointer(start: address, count: count)
  }

  /// Where one page is read Linux may map its neighbours too, as far away as this.
  private static let reach = 1 << 21

  /// Takes the pages of `part` out of memory, and those that came with them. They are mapped for reading
  /// and cannot have changed.
  func giveBack(_ part: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress, let start = part.baseAddress else { return }
    let pageSize = Int(getpagesize())
    let first = max(0, start - base - Self.reach) / pageSize * pageSize
    let end = min(bytes.count, start - base + part.count + Self.reach)
    madvise(UnsafeMutableRawPointer(mutating: base + first), end - first, MADV_DONTNEED)
  }

  deinit {
    if let address = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: address), bytes.count)
    }
  }
}

/// The text of `errno`.
func lastSystemError() -> String { String(cString: strerror(errno)) }
