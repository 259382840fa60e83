import Glibc
import PrunecTensors

/// Times of parts of models on a device, by their signatures, kept in a file from one run of prunec to the next.
///
/// Text: a line that says of what the times are (processor, instruction set, threads, state of the cache, and the
/// program itself: other kernels take other times; or a device and a command), then a line for each part: nanoseconds, a tab, the signature. A
/// file of something else is replaced; one that cannot be written is no failure.
package final class LatencyTable {
  private let path: String?
  private let title: String
  private var seconds: [String: Double] = [:]
  private var isChanged = false
  /// What is wrong with the file, if anything.
  package private(set) var complaint: String?

  /// What is no file at all is left alone.
  private var isReplaceable = true

  private static let sizeLimit = 1 << 28

  /// The table in the user's cache folder (`$XDG_CACHE_HOME/prunec`, or `~/.cache/prunec`) for so many threads and that
  /// state of the cache.
  package convenience init(threadCount: Int, evictsWeights: Bool) {
    let state = evictsWeights ? "evicted" : "cached"
    let title =
      "prunec latency table 1: \(Self.processor), \(Session.instructionSet), \(threadCount) threads, "
      + "weights \(state), program \(String(Self.programHash, radix: 16))"
    self.init(
      path: Self.path(name: "\(Session.instructionSet)-\(threadCount)-\(state)"), title: title)
  }

  /// The table in the user's cache folder for the times that `command` prints on the device of that name; on this
  /// machine's processor where there is none.
  package convenience init(command: String, device: String?) {
    let words = command.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    let place = (device ?? Self.processor).map { $0.isNewline ? " " : $0 }
    let title = "prunec latency table 1: device \(String(place)), command \(words)"
    var fingerprint = Fingerprint()
    fingerprint.add(title)
    self.init(
      path: Self.path(name: "command-" + String(fingerprint.value, radix: 16)), title: title)
  }

  private static func path(name: String) -> String? {
    // The specification of XDG_CACHE_HOME wants relative paths ignored.
    let folder =
      environment("XDG_CACHE_HOME").flatMap { $0.hasPrefix("/") ? $0 : nil }
      ?? environment("HOME").map { $0 + "/.cache" }
    return folder.map { "\($0)/prunec/latency-\(name).tsv" }
  }

  /// The table in the file at `path`, if that bears the `title`; without a path it is kept in memory.
  package init(path: String?, title: String) {
    self.path = path
    self.title = title
    read()
  }

  package var count: Int { seconds.count }

  package subscript(signature: String) -> Double? {
    get { seconds[signature] }
    set {
      seconds[signature] = newValue
      isChanged = true
    }
  }

  // MARK: File

  private func read() {
    guard let path else { return }
    // To open a pipe would wait for somebody to write.
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    // A socket cannot be opened so. What else cannot be read is seen when it is written.
    guard descriptor >= 0 || errno == ENXIO else { return }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      let file = fdopen(descriptor, "r")
    else {
      close(descriptor)
      complaint = "\(path) is no regular file"
      isReplaceable = false
      return
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count < Self.sizeLimit {
      let count = fread(&chunk, 1, chunk.count, file)
      if count == 0 { break }
      bytes += chunk[..<count]
    }
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
    guard let first = lines.first else { return }
    guard String(decoding: first, as: UTF8.self) == title else {
      if !first.starts(with: "prunec latency table".utf8) {
        complaint = "\(path) is no latency table"
      }
      return
    }
    for line in lines.dropFirst() {
      let fields = line.split(separator: UInt8(ascii: "\t"), maxSplits: 1)
      guard fields.count == 2,
        let nanoseconds = Double(String(decoding: fields[0], as: UTF8.self)),
        nanoseconds > 0, nanoseconds < 1e15
      else {
        complaint = "\(path) is damaged"
        continue
      }
      seconds[String(decoding: fields[1], as: UTF8.self)] = nanoseconds / 1e9
    }
  }

  /// Writes the file, whole or not at all, if there is something new in the table. Returns what is wrong where that
  /// cannot be done.
  @discardableResult package func save() -> String? {
    guard isChanged, isReplaceable, let path else { return nil }
    var text = title + "\n"
    for signature in seconds.keys.sorted() {
      text += "\(max(1, Int((seconds[signature]! * 1e9).rounded())))\t\(signature)\n"
    }
    for (index, character) in path.utf8.enumerated()
    where index > 0 && character == UInt8(ascii: "/") {
      mkdir(String(decoding: path.utf8.prefix(index), as: UTF8.self), 0o755)
    }
    let temporary = "\(path).\(getpid())"
    let failure = "times cannot be kept for later runs: \(path) cannot be written"
    guard let file = fopen(temporary, "w") else { return failure }
    let written = text.withCString { fputs($0, file) }
    guard fclose(file) == 0, written >= 0, rename(temporary, path) == 0 else {
      unlink(temporary)
      return failure
    }
    isChanged = false
    return nil
  }

  // MARK: Machine

  private static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }

  private static var processor: String {
    guard let file = fopen("/proc/cpuinfo", "r") else { return "unknown processor" }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 4096)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(
        decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      guard text.hasPrefix("model name"), let colon = text.firstIndex(of: ":") else { continue }
      return String(text[text.index(after: colon)...].filter { $0 != "\n" }.drop { $0 == " " })
    }
    return "unknown processor"
  }

  /// A number that changes with the program's bytes.
  private static let programHash: UInt64 = {
    let file = open("/proc/self/exe", O_RDONLY)
    guard file >= 0 else { return 0 }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_size > 0,
      let bytes = mmap(nil, Int(status.st_size), PROT_READ, MAP_PRIVATE, file, 0),
      bytes != MAP_FAILED
    else { return 0 }
    defer { munmap(bytes, Int(status.st_size)) }
    let words = UnsafeRawBufferPointer(start: bytes, count: Int(status.st_size) / 8 * 8)
      .bindMemory(to: UInt64.self)
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for word in words { hash = (hash ^ word) &* 0x100_0000_01b3 }
    return hash ^ UInt64(status.st_size)
  }()
}
