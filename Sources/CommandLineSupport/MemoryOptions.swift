import ArgumentParser
import PrunecSelection
import PrunecTensors

/// The memory that a command may take.
package struct MemoryOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Take at most this much memory: 2GiB, 800MiB. By default what the machine has.",
      valueName: "size"))
  package var memory: MemorySize?

  package init() {}

  /// Sets the limit, before anything is read.
  package func validate() throws {
    if let memory { MemoryLimit.bytes = memory.bytes }
  }
}

/// A size of memory: `512KiB`, `800MiB`, `1.5GiB`.
package struct MemorySize: ExpressibleByArgument, Sendable {
  package let bytes: Int

  package init?(argument: String) {
    guard case .bytes(let bytes)? = MemoryTarget(argument), bytes > 0 else { return nil }
    self.bytes = bytes
  }
}
