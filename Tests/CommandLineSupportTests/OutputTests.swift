import PrunecCommandLineSupport
import PrunecGraphIR
import Testing

@Suite struct OutputTests {
  @Test(arguments: [
    (0, "0"), (999, "999"), (1000, "1.00 k"), (31_040_000, "31.0 M"), (999_600, "1.00 M"),
    (4_089_184_256, "4.09 G"),
  ])
  func countsHaveThreeDigitsAndAUnit(count: Int, text: String) {
    #expect(OutputText.count(count) == text)
  }

  @Test func bytesHaveAUnit() {
    #expect(OutputText.bytes(512) == "512 B")
    #expect(OutputText.bytes(102_100_000) == "102 MB")
  }

  @Test(arguments: [
    (0.0123, "12.3 µs"), (0.9994, "999.4 µs"), (0.9996, "1.000 ms"), (12.5, "12.500 ms"),
  ])
  func durationsHaveAUnit(milliseconds: Double, text: String) {
    #expect(OutputText.duration(milliseconds: milliseconds) == text)
  }

  @Test func nounsAreCounted() {
    #expect(OutputText.counted(1, "output") == "1 output")
    #expect(OutputText.counted(0, "output") == "0 outputs")
  }

  @Test func jsonOfWhatIsNotFinite() throws {
    let json = try OutputText.json([Double.infinity, -.infinity, .nan], pretty: false)
    #expect(json == #"["inf","-inf","nan"]"#)
  }

  @Test func percentOfNothingIsADash() {
    #expect(OutputText.percent(0, of: 0) == "-")
    #expect(OutputText.percent(1, of: 3) == "33.3 %")
  }

  @Test func tableAlignsItsColumns() {
    var table = Table(["layer", "kept"])
    table.add(["conv1", "8"])
    table.add(["a", "128"])
    #expect(table.text == "layer  kept\n-----------\nconv1     8\na       128")
  }

  @Test func jsonIsSortedAndTheSameEachTime() throws {
    #expect(try OutputText.json(["b": 1, "a": 2], pretty: false) == #"{"a":2,"b":1}"#)
  }

  @Test(arguments: [
    (CompileError.Kind.checkFailed, Int32(1)), (.usage, 2), (.malformed, 3), (.unsupported, 4),
    (.inputOutput, 5),
  ])
  func everyKindOfErrorHasItsExitCode(kind: CompileError.Kind, code: Int32) {
    #expect(ExitStatus.code(for: kind) == code)
  }

  @Test func errorsSayWhichFileTheyAreAbout() {
    let error = CompileError(.malformed, "is wrong", at: .value("x"))
    #expect(throws: LocatedError.self) {
      try LocatedError.at("model.onnx") { () throws(CompileError) in throw error }
    }
    #expect(
      error.diagnostics[0].rendered(file: "model.onnx")
        == "model.onnx: value 'x': error: is wrong")
  }
}
