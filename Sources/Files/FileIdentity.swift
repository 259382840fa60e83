import Glibc

/// Identity of the file that a path leads to, whatever it is called.
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

  /// The file that is open under `descriptor`; `nil` where none is.
  package init?(descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    self.init(status)
  }
}

/// The file that a path leads to, or the place where a file of that path would come to be.
package enum FilePlace: Hashable, Sendable {
  case file(FileIdentity)
  case new(name: String, folder: FileIdentity)

  /// `nil` where there is no folder that could hold the file.
  package init?(path: String) {
    if let identity = FileIdentity(path: path) {
      self = .file(identity)
    } else if let folder = FileIdentity(path: folder(of: path)) {
      self = .new(name: fileName(of: path), folder: folder)
    } else {
      return nil
    }
  }
}

/// The folder that holds the file at `path`.
package func folder(of path: String) -> String {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// The last component of `path`.
package func fileName(of path: String) -> String {
  path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[path.utf8.index(after: $0)...]) }
    ?? path
}

/// `path`, or what it leads to where it is a symbolic link.
package func resolvingLinks(_ path: String) -> String {
  var status = stat()
  guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK,
    let resolved = realpath(path, nil)
  else { return path }
  defer { free(resolved) }
  return String(cString: resolved)
}

/// The text of `errno`.
package func lastSystemError() -> String { String(cString: strerror(errno)) }
