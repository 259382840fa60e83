import Glibc

/// The right to change, among processes that ask for it, which files of a folder belong together. It ends with the object, or the process.
package final class FolderLock {
  private static let patience = ContinuousClock.Duration.seconds(10)
  private let descriptor: Int32

  /// Waits for its turn; `nil` where that does not come within ten seconds, or the file system has no locks.
  package init?(folderOf path: String) {
    descriptor = open(folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    let start = ContinuousClock.now
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR, ContinuousClock.now - start < Self.patience
      else {
        close(descriptor)
        return nil
      }
      usleep(2000)
    }
  }

  deinit { close(descriptor) }
}
