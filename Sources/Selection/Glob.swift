import Glibc

/// A shell pattern over names: `*` matches any characters, `?` one, `[...]` one of a set.
public struct Glob: Sendable {
  private let pattern: String

  public init(_ pattern: String) { self.pattern = pattern }

  public func matches(_ name: String) -> Bool { fnmatch(pattern, name, 0) == 0 }
}
