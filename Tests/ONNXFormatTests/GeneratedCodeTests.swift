import Foundation
import Testing

@Suite struct GeneratedCodeTests {
  /// The committed C is what protoc-c makes of the schema.
  @Test func agreesWithSchema() throws {
    let root = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let process = Process()
    process.executableURL = root.appending(path: "tools/regenerate-onnx-proto")
    process.arguments = ["--check"]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let difference = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    if process.terminationStatus == 77 {
      print("SKIPPED: protoc-c is not installed, so the generated code was not compared")
      return
    }
    #expect(process.terminationStatus == 0, "\(String(decoding: difference, as: UTF8.self))")
  }
}
