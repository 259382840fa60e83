import PrunecTensors

extension MemoryLimit {
  /// Throws an unsupported error where `bytes` more cannot be taken. `purpose` says what for, as in "takes 5 MiB of memory
  /// for activations".
  public static func ask(
    _ bytes: Int, for purpose: String, at location: Location? = nil
  ) throws(CompileError) {
    guard !admits(bytes) else { return }
    throw CompileError(
      .unsupported,
      "takes \(text(bytes)) of memory for \(purpose), and \(text(available)) of \(text(self.bytes)) are left",
      at: location, notes: ["--memory sets the limit, which the machine bounds"])
  }

  private static func text(_ bytes: Int) -> String { "\((bytes + (1 << 20) - 1) >> 20) MiB" }
}
