import Dispatch
import Foundation
import Glibc
import PrunecGraphIR
import Synchronization
import Testing

@testable import PrunecFiles

/// One after the other: which files have changed is known of the whole process.
@Suite(.serialized) struct FilesTests {
  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "files-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func path(_ name: String) -> String { folder.appending(path: name).path }

  @Test func fingerprintsDoNotDependOnPieces() {
    let bytes = (0..<100).map { UInt8($0) }
    func text(_ sizes: [Int]) -> String {
      var fingerprint = StreamFingerprint()
      var start = 0
      for size in sizes {
        bytes[start..<(start + size)].withUnsafeBytes { fingerprint.add($0) }
        start += size
      }
      return fingerprint.text
    }
    let whole = text([100])
    #expect(text([1, 0, 30, 3, 61, 5]) == whole)
    #expect(text([8, 92]) == whole)
    #expect(text([99]) != whole)
    var zeros = (StreamFingerprint(), StreamFingerprint())
    [UInt8](repeating: 0, count: 3).withUnsafeBytes { zeros.0.add($0) }
    [UInt8](repeating: 0, count: 4).withUnsafeBytes { zeros.1.add($0) }
    #expect(zeros.0.text != zeros.1.text)
  }

  @Test func placesAreThoseOfFiles() throws {
    try writeText("one", to: path("a"))
    try FileManager.default.createSymbolicLink(atPath: path("b"), withDestinationPath: "a")
    try FileManager.default.linkItem(atPath: path("a"), toPath: path("c"))
    try FileManager.default.createSymbolicLink(atPath: path("again"), withDestinationPath: ".")
    #expect(FilePlace(path: path("b")) == FilePlace(path: path("a")))
    #expect(FilePlace(path: path("c")) == FilePlace(path: path("a")))
    #expect(FilePlace(path: path("again/new")) == FilePlace(path: path("new")))
    #expect(FilePlace(path: path("other")) != FilePlace(path: path("new")))
    #expect(FilePlace(path: path("nowhere/new")) == nil)
  }

  @Test func leftoversDoNotBlock() throws {
    for number in 0..<3 { try writeText("left", to: path(".prunec-\(getpid())-\(number).tmp")) }
    try writeText("one", to: path("a"))
    #expect(try String(contentsOfFile: path("a"), encoding: .utf8) == "one")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 4)
  }

  /// On threads of their own: tasks that wait for each other can keep all threads of a small machine from both.
  @Test func foldersAreLockedOnce() throws {
    var first = FolderLock(folderOf: path("a"))
    #expect(first != nil)
    let (place, isDone) = (path("b"), DispatchSemaphore(value: 0))
    let isLocked = Atomic(false)
    Thread.detachNewThread {
      isLocked.store(FolderLock(folderOf: place) != nil, ordering: .relaxed)
      isDone.signal()
    }
    usleep(50_000)
    let isEarly = isLocked.load(ordering: .relaxed)
    first = nil
    isDone.wait()
    let hasFollowed = isLocked.load(ordering: .relaxed)
    #expect(!isEarly && hasFollowed)
  }

  /// Comes last, since what has changed once stays so.
  @Test func writingToAMappedFileIsNoticed() throws {
    try writeText("one", to: path("replaced"))
    let replaced = try MappedFile(path: path("replaced"))
    try writeText("other", to: path("replaced"))
    try MappedFile.checkUnchanged()
    #expect(replaced.bytes.count == 3)

    try writeText("one", to: path("a"))
    let unwatched = try MappedFile(path: path("a"), isWatched: false)
    usleep(20_000)
    let handle = try FileHandle(forWritingTo: folder.appending(path: "a"))
    try handle.write(contentsOf: Data("two".utf8))
    try MappedFile.checkUnchanged()
    #expect(unwatched.bytes.count == 3)

    var watched: MappedFile? = try MappedFile(path: path("a"))
    usleep(20_000)
    try handle.write(contentsOf: Data("three".utf8))
    let error = #expect(throws: CompileError.self) { try MappedFile.checkUnchanged() }
    #expect(error?.kind == .inputOutput)
    #expect(watched?.bytes.count == 3)
    watched = nil
    #expect(throws: CompileError.self) { try MappedFile.checkUnchanged() }
  }
}
