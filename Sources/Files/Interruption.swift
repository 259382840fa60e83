import Glibc
import Synchronization

/// Clean-up before a signal ends the process: of temporary files and folders, and of commands that run in groups of their own.
/// Also names the mapped file that can no longer be read, and says that memory has run out, which are reported by signals.
///
/// Signals are handled only after `install`, which a program calls and a library does not.
package enum Interruption {
  package enum Kind: Int32, Sendable { case none, file, folder, processGroup, mapping }

  /// A signal may arrive at any time, so what its handler reads is never freed.
  struct Slot {
    var kind = Kind.none
    var process: pid_t = 0
    var start: UInt = 0
    var end: UInt = 0
    /// Memory for a path, from the first time on that the slot is used.
    var path: UnsafeMutablePointer<CChar>?
  }

  /// Registers what must be undone for as long as it lives.
  package final class Registration: Sendable {
    private let index: Int?

    fileprivate init(_ index: Int?) { self.index = index }

    deinit {
      guard let index else { return }
      used.withLock { used in
        slots[index].kind = .none
        used.remove(index)
      }
    }
  }

  /// More than these go unregistered.
  private static let capacity = 1024
  private static let pathCapacity = Int(PATH_MAX)
  private static let used = Mutex<Set<Int>>([])
  fileprivate nonisolated(unsafe) static let slots = {
    let slots = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
    slots.initialize(repeating: Slot(), count: capacity)
    return slots
  }()
  /// `rm -rf -- PATH`, with the path to be set.
  fileprivate nonisolated(unsafe) static let removal = {
    let words = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: 5)
    for (index, word) in ["rm", "-rf", "--"].enumerated() { words[index] = strdup(word) }
    (words[3], words[4]) = (nil, nil)
    return words
  }()

  /// Has the file, or the folder with all that is in it, at `path` removed.
  package static func remove(_ kind: Kind, at path: String) -> Registration {
    // The process may go to another folder.
    let whole = path.hasPrefix("/") ? path : "\(String(cString: workingFolder))/\(path)"
    return register(whole) { $0.kind = kind }
  }

  /// Has the group of processes that `process` leads killed.
  package static func kill(group process: pid_t) -> Registration {
    register("") {
      $0.process = process
      $0.kind = .processGroup
    }
  }

  /// Has a failure to read `bytes`, which are mapped from the file at `path`, reported as such.
  static func name(_ path: String, mappedTo bytes: UnsafeRawBufferPointer) -> Registration {
    register(path) {
      $0.start = UInt(bitPattern: bytes.baseAddress)
      $0.end = $0.start + UInt(bytes.count)
      $0.kind = .mapping
    }
  }

  private nonisolated(unsafe) static let workingFolder: UnsafeMutablePointer<CChar> =
    getcwd(nil, 0) ?? strdup(".")

  private static func register(_ path: String, _ set: (inout Slot) -> Void) -> Registration {
    used.withLock { used in
      let index = (0..<capacity).first { !used.contains($0) }
      guard let index, path.utf8.count < pathCapacity else { return Registration(nil) }
      used.insert(index)
      let memory = slots[index].path ?? .allocate(capacity: pathCapacity)
      strcpy(memory, path)
      slots[index].path = memory
      set(&slots[index])
      return Registration(index)
    }
  }

  // MARK: Signals

  /// Handles signals for the rest of the process. Those that would end it while it writes become errors of writing.
  package static func install() {
    // Made now: a handler may not.
    _ = (slots, removal, postponed.load(ordering: .relaxed))
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      var old = sigaction()
      // A signal that the caller ignores stays ignored, as under nohup.
      guard sigaction(number, nil, &old) == 0,
        unsafeBitCast(old.__sigaction_handler.sa_handler, to: Int.self)
          != unsafeBitCast(SIG_IGN, to: Int.self)
      else { continue }
      var action = sigaction()
      action.__sigaction_handler.sa_handler = endProcess
      sigaction(number, &action, nil)
    }
    var action = sigaction()
    action.__sigaction_handler.sa_sigaction = reportUnreadable
    action.sa_flags = SA_SIGINFO
    sigaction(SIGBUS, &action, nil)
    for (index, number) in trapNumbers.enumerated() {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = reportAbsentMemory
      sigaction(number, &action, &traps[index])
    }
  }

  /// The signals by which Swift's runtime (the first) and libraries in Swift end a process that gets no memory.
  fileprivate static let trapNumbers = [SIGABRT, SIGILL, SIGTRAP]
  /// Actions that these had before.
  fileprivate nonisolated(unsafe) static let traps = {
    let actions = UnsafeMutablePointer<sigaction>.allocate(capacity: trapNumbers.count)
    actions.initialize(repeating: sigaction(), count: trapNumbers.count)
    return actions
  }()

  /// Whether signals that end the process wait: 0 where none does, `postponement`, or the number of one that waits.
  fileprivate static let postponed = Atomic<Int32>(0)
  fileprivate static let postponement: Int32 = -1

  /// Runs `body`, which takes a moment and must not be left halfway: a signal that would end the process does so afterwards. A second one
  /// does not wait.
  package static func postponing<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    postponed.store(postponement, ordering: .sequentiallyConsistent)
    defer {
      let number = postponed.exchange(0, ordering: .sequentiallyConsistent)
      if number > 0 { endProcess(number) }
    }
    return try body()
  }

  /// Undoes what is registered. Calls nothing that a handler may not call.
  fileprivate static func undo() {
    for index in 0..<capacity {
      switch slots[index].kind {
      case .none, .mapping: break
      case .file: if let path = slots[index].path { unlink(path) }
      case .folder:
        removal[3] = slots[index].path
        var process = pid_t()
        if posix_spawn(&process, "/bin/rm", nil, nil, removal, environ) == 0 {
          waitpid(process, nil, 0)
        }
      case .processGroup: Glibc.kill(-slots[index].process, SIGKILL)
      }
    }
  }

  /// The path of the file whose mapping holds `address`.
  fileprivate static func path(mappedAt address: UInt) -> UnsafeMutablePointer<CChar>? {
    for index in 0..<capacity
    where slots[index].kind == .mapping && slots[index].start <= address
      && address < slots[index].end
    {
      return slots[index].path
    }
    return nil
  }
}

/// Undoes what is registered, and lets the signal end the process, unless that is postponed.
private func endProcess(_ number: Int32) {
  let (waits, _) = Interruption.postponed.compareExchange(
    expected: Interruption.postponement, desired: number, ordering: .sequentiallyConsistent)
  guard !waits else { return }
  Interruption.undo()
  signal(number, SIG_DFL)
  // Blocked until the handler returns.
  raise(number)
}

/// Ends the process with the exit code of what needs too much memory where an allocation has failed, which was too small to be asked
/// for (`MemoryLimit`). Swift's runtime aborts then, and Foundation traps.
private func reportAbsentMemory(_ number: Int32) {
  guard errno == ENOMEM else {
    // Comes again when the handler has returned: an abort and a trap do.
    for (index, trap) in Interruption.trapNumbers.enumerated() where trap == number {
      sigaction(number, &Interruption.traps[index], nil)
    }
    return
  }
  let message: StaticString = "error: memory has run out: the system's limit leaves no more\n"
  write(2, message.utf8Start, message.utf8CodeUnitCount)
  Interruption.undo()
  _exit(4)
}

/// Ends the process with the exit code of files that cannot be read where a mapped file has lost pages.
private func reportUnreadable(
  _ number: Int32, _ info: UnsafeMutablePointer<siginfo_t>?, _ context: UnsafeMutableRawPointer?
) {
  let address = UInt(bitPattern: info?.pointee._sifields._sigfault.si_addr)
  guard let path = Interruption.path(mappedAt: address) else {
    // Comes again when the handler has returned, and ends the process.
    signal(number, SIG_DFL)
    return
  }
  let message: StaticString =
    ": error: cannot be read any more: it has become shorter while it was read, or its disk fails\n"
  write(2, path, strlen(path))
  write(2, message.utf8Start, message.utf8CodeUnitCount)
  Interruption.undo()
  _exit(5)
}
