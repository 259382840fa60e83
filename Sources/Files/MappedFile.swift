import Glibc
import PrunecGraphIR
import PrunecTensors
import Synchronization

/// A regular file mapped into memory for reading, for as long as the object lives.
///
/// Tensors borrow their elements from it, so pages are read when an element is. A file that another
/// process writes to meanwhile changes under them, which `checkUnchanged` notices; one that becomes shorter takes
/// its pages with it (`Interruption`). Replacing it by renaming does no harm.
package final class MappedFile: RereadableBytes, @unchecked Sendable {
  package let bytes: UnsafeRawBufferPointer
  package let identity: FileIdentity
  /// The path, to be looked at again.
  private let path: String
  private let stamp: Stamp
  private var registration: Interruption.Registration?

  /// Size and time of a file, which change when it is written to.
  private struct Stamp: Equatable {
    let size: Int
    let seconds: Int
    let nanoseconds: Int

    init(_ status: stat) {
      size = Int(status.st_size)
      (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    }
  }

  /// The files that are mapped, and the paths of those that had changed when they were no longer.
  private struct Known {
    var mapped: [ObjectIdentifier: Unmanaged<MappedFile>] = [:]
    var changed: [String] = []
  }

  private static let known = Mutex(Known())

  /// Throws `.inputOutput` where a file has been written to since it was mapped: results may be of both its states. That is for a program
  /// to ask before it writes, since a library may have read a file long ago.
  package static func checkUnchanged() throws(CompileError) {
    let path = known.withLock { known in
      known.changed.first
        ?? known.mapped.values.lazy.map { $0.takeUnretainedValue() }.first(where: \.hasChanged)?
        .path
    }
    guard let path else { return }
    throw CompileError(.inputOutput, "'\(path)' has changed while it was read")
  }

  private var hasChanged: Bool {
    var status = stat()
    // A file that has lost its name to another one keeps its contents.
    guard stat(path, &status) == 0, FileIdentity(status) == identity else { return false }
    return Stamp(status) != stamp
  }

  /// Maps the file at `path`. Of one that is not watched `checkUnchanged` says nothing.
  ///
  /// Throws `.inputOutput` where it cannot be opened or is no regular file.
  package convenience init(path: String, isWatched: Bool = true) throws(CompileError) {
    // Opening a pipe without a writer would wait for one.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw CompileError(.inputOutput, "cannot open '\(path)': \(lastSystemError())")
    }
    defer { close(descriptor) }
    try self.init(
      descriptor: descriptor, path: path, name: path, refusesHardLinks: false,
      isWatched: isWatched)
  }

  /// Maps an open file at `path`; `name` is for messages. The descriptor may be closed afterwards.
  package init(
    descriptor: Int32, path: String, name: String, refusesHardLinks: Bool, isWatched: Bool = true
  ) throws(CompileError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw CompileError(.inputOutput, "cannot read '\(name)': \(lastSystemError())")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw CompileError(.inputOutput, "'\(name)' is not a regular file")
    }
    guard !refusesHardLinks || status.st_nlink == 1 else {
      throw CompileError(
        .inputOutput, "'\(name)' has \(status.st_nlink) names, some of which may be elsewhere",
        notes: ["a hard link cannot be told from a file outside of the model's folder; copy it"])
    }
    identity = FileIdentity(status)
    stamp = Stamp(status)
    self.path = path
    let count = Int(status.st_size)
    guard count > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      if isWatched { remember() }
      return
    }
    let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let address, address != MAP_FAILED else {
      throw CompileError(.inputOutput, "cannot map '\(name)': \(lastSystemError())")
    }
    bytes = UnsafeRawBufferPointer(start: address, count: count)
    registration = Interruption.name(path, mappedTo: bytes)
    if isWatched { remember() }
  }

  private func remember() {
    Self.known.withLock { $0.mapped[ObjectIdentifier(self)] = Unmanaged.passUnretained(self) }
  }

  /// Largest distance, in bytes, at which Linux maps the neighbours of a page that is read.
  private static let reach = 1 << 21

  /// Takes the pages of `part` out of memory, and those that came with them. They are mapped for reading
  /// and cannot have changed.
  package func giveBack(_ part: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress, let start = part.baseAddress else { return }
    let pageSize = Int(getpagesize())
    let first = max(0, start - base - Self.reach) / pageSize * pageSize
    let end = min(bytes.count, start - base + part.count + Self.reach)
    madvise(UnsafeMutableRawPointer(mutating: base + first), end - first, MADV_DONTNEED)
  }

  deinit {
    Self.known.withLock { known in
      guard known.mapped.removeValue(forKey: ObjectIdentifier(self)) != nil else { return }
      if hasChanged { known.changed.append(path) }
    }
    if let address = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: address), bytes.count)
    }
  }
}
