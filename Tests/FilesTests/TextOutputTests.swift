import Foundation
import PrunecFiles
import Testing

@Suite struct TextOutputTests {
  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func contents() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  @Test func replacesAFileAndLeavesNothingElse() throws {
    let path = folder.appending(path: "report.json").path
    try writeText("one", to: path)
    try writeText("two", to: path)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "two")
    #expect(try contents() == ["report.json"])
  }

  @Test func aLinkStaysALink() throws {
    let (path, link) = (folder.appending(path: "a").path, folder.appending(path: "b").path)
    try writeText("one", to: path)
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
    try writeText("two", to: link)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "two")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == path)
  }

  @Test func aDeviceStaysADevice() throws {
    try writeText("text", to: "/dev/null")
    let type = try FileManager.default.attributesOfItem(atPath: "/dev/null")[.type]
    #expect(type as? FileAttributeType == .typeCharacterSpecial)
  }

  @Test func aFolderIsRefused() throws {
    #expect(throws: (any Error).self) { try writeText("text", to: folder.path) }
    #expect(try contents() == [])
  }
}
