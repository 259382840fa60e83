import PrunecGraphIR
import PrunecOperators
import PrunecTensors
import Testing

/// Fourier transforms; that they compute what onnx's reference does is held by its backend tests.
@Suite struct SignalTests {
  @Test func windowsHaveTheirLength() throws {
    let window = OperatorCase("HannWindow", [.integers(4)])
    #expect(try window.shape() == "4")
    #expect(try window.relations() == ["pin Y0.0"])
    #expect(isClose(try window.evaluate()[0].floats, [0, 0.5, 1, 0.5]))
    #expect(try OperatorCase("HammingWindow", [ValueFacts(.int64, [])]).shape() == "?")
    #expect(OperatorCase("BlackmanWindow", [.integers(-1)]).refusal() == "an extent is -1")
  }

  @Test func transformsRunOverTheirAxis() throws {
    let dft = OperatorCase("DFT", [.float(-1, 6, 5, 1)], [Attribute("onesided", 1)])
    #expect(try dft.shape() == "n 4 5 2")
    #expect(
      try dft.relations() == [
        "X0.0 = Y0.0", "pin X0.1", "pin Y0.1", "X0.2 = Y0.2", "pin X0.3", "pin Y0.3",
      ])
    let later = OperatorCase("DFT", opset: 20, [.float(2, 6, 5, 2)])
    #expect(try later.shape() == "2 6 5 2")
    let unknown = ValueFacts(.int64, [])
    let open = OperatorCase("DFT", opset: 20, [.float(2, 6, 5, 1), nil, unknown])
    #expect(try open.shape() == "2 6 5 2")
    #expect(try open.relations() == [])
    let padded = OperatorCase("DFT", opset: 20, [.float(2, 6, 5, 1), .integers(8), unknown])
    #expect(try padded.shape() == "? ? ? 2")
    #expect(
      OperatorCase("DFT", [.float(2, 6, 3)]).refusal()
        == "the last axis of X has 3 elements instead of 1 or 2")
    let inverse = OperatorCase(
      "DFT", [.float(2, 4, 2)], [Attribute("onesided", 1), Attribute("inverse", 1)])
    #expect(try inverse.shape() == "2 6 1")
  }

  /// Lengths with small and large prime factors, there and back.
  @Test(arguments: [1, 2, 7, 12, 30, 31, 64]) func thereAndBack(length: Int) throws {
    let x = ValueFacts.constant((0..<length).map { Float($0 * $0 % 7) }, 1, length, 1)
    let there = try OperatorCase("DFT", [x]).evaluate()[0]
    let back = try OperatorCase("DFT", [ValueFacts(constant: there)], [Attribute("inverse", 1)])
      .evaluate()[0]
    let real = stride(from: 0, to: 2 * length, by: 2).map { back.floats[$0] }
    #expect(zip(real, x.constant!.floats).allSatisfy { abs($0 - $1) < 1e-5 })
    guard length > 1 else { return }
    let half = try OperatorCase("DFT", [x], [Attribute("onesided", 1)]).evaluate()[0]
    let whole = try OperatorCase(
      "DFT", [ValueFacts(constant: half), .integers(length)],
      [Attribute("onesided", 1), Attribute("inverse", 1)]
    ).evaluate()[0]
    #expect(zip(whole.floats, x.constant!.floats).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  @Test func framesOfSignals() throws {
    let stft = OperatorCase("STFT", [.float(-1, 4000, 1), .integers(160), .float(400)])
    #expect(try stft.shape() == "n 23 201 2")
    #expect(try stft.relations().first == "X0.0 = Y0.0")
    #expect(
      OperatorCase("STFT", [.float(1, 8, 1), .integers(0), .float(4)]).refusal()
        == "the frames have no length or no distance")
    #expect(
      OperatorCase("STFT", [.float(1, 8, 1), .integers(1), .float(9)]).refusal()
        == "a frame is longer than the signal")
  }

  @Test func spectraOnTheMelScale() throws {
    let hertz = [ValueFacts.constant([0]), .constant([4000])]
    let matrix = OperatorCase(
      "MelWeightMatrix", [.integers(8), .integers(64), .integers(8000)] + hertz)
    #expect(try matrix.shape() == "33 8")
    #expect(try matrix.evaluate()[0].floats.max() == 1)
    let downwards = OperatorCase(
      "MelWeightMatrix", [.integers(8), .integers(64), .integers(8000)] + hertz.reversed())
    #expect(throws: CompileError.self) { try downwards.evaluate() }
  }

  @Test(arguments: hostileNumbers) func hostileLengths(number: Int) {
    let dft = OperatorCase("DFT", [.counting(1, 4, 1), .integers(number)])
    #expect(throws: CompileError.self) { try dft.evaluate() }
    let window = OperatorCase("HannWindow", [.integers(number)])
    #expect(throws: CompileError.self) { try window.evaluate() }
  }
}
