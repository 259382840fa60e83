/// The memory that a command may take.
public struct MemoryOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Take at most this much memory: 2GiB, 800MiB. By default what the machine has.",
      valueName: "size"))
  public var memory: MemorySize?

  public init() {}

  /// Sets the limit, before anything is read.
  public func validate() throws {
    if let memory { MemoryLimit.bytes = memory.bytes }
  }
}

/// A size of memory: `512KiB`, `800MiB`, `1.5GiB`.
public struct MemorySize: ExpressibleByArgument, Sendable {
  public let bytes: Int

  public init?(argument: String) {
    guard case .bytes(let bytes)? = MemoryTarget(argument), bytes > 0 else { return nil }
    self.bytes = bytes
  }
}
