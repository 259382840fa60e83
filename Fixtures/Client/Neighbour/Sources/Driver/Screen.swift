/// Standard output.
public struct Screen {
  public init() {}

  public func show(_ line: String) { print(line) }
}
