import Glibc
import Synchronization

/// The memory that this process may take, in bytes. It is asked before large allocations, which could not fail otherwise than by ending
/// the process.
public enum MemoryLimit {
  /// The limit that has been set; 0 for none.
  private static let chosen = Atomic<Int>(0)

  /// The limit: what has been set, and at most what the machine gives.
  public static var bytes: Int {
    get {
      let chosen = chosen.load(ordering: .relaxed)
      return chosen > 0 ? min(chosen, ofMachine) : ofMachine
    }
    set { chosen.store(max(1, newValue), ordering: .relaxed) }
  }

  /// The physical memory of the machine, or what the process's control group or resource limits leave of it.
  public static let ofMachine: Int = {
    let physical = sysconf(Int32(_SC_PHYS_PAGES)) * pageSize
    return
      ([physical]
      + ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
      .compactMap(number)).min() ?? physical
  }()

  /// Bytes that can still be taken: what the limit leaves beside the memory that is in use, and what the resource limit leaves of the
  /// address space.
  public static var available: Int {
    let (virtual, resident) = inUse
    var limit = rlimit()
    // Small allocations, which do not ask, need some, too.
    let usable = bytes - bytes / reserve
    guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0,
      limit.rlim_cur < rlim_t(Int.max)
    else { return max(0, usable - resident) }
    let space = Int(limit.rlim_cur)
    return max(0, min(usable - resident, space - space / reserve - virtual))
  }

  /// One part in so many of the limit is left for allocations that are too small to be asked for.
  private static let reserve = 8

  /// Allocations of fewer bytes are not asked for.
  public static let smallest = 8 << 20

  /// Whether `bytes` more can be taken.
  public static func admits(_ bytes: Int) -> Bool { bytes < smallest || bytes <= available }

  private static let pageSize = sysconf(Int32(_SC_PAGESIZE))

  /// The address space and the memory that the process uses.
  private static var inUse: (virtual: Int, resident: Int) {
    let numbers = text("/proc/self/statm").split(separator: " ").prefix(2).compactMap { Int($0) }
    return numbers.count == 2 ? (numbers[0] * pageSize, numbers[1] * pageSize) : (0, 0)
  }

  /// The number that a file holds; `nil` where it holds something else.
  private static func number(_ path: String) -> Int? {
    let digits = text(path).prefix { $0.isNumber }
    return Int(digits).flatMap { $0 > 0 ? $0 : nil }
  }

  /// The beginning of a file; empty where it cannot be read.
  private static func text(_ path: String) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 128)
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}
