import Foundation
import PrunecCalibration
import PrunecGraphIR
import PrunecONNXText
import PrunecPassKit
import PrunecTestSupport
import Testing

@testable import PrunecDriver

@Suite struct StatisticsFileTests {
  private static let network = """
    main (float[N,8] x) => (float[N,4] y) <float[8,32] a = {...}, float[32,4] b = {...}>
    { h = MatMul (x, a) r = Relu (h) y = MatMul (r, b) }
    """

  private func model(_ text: String = network) throws -> Model { try parseModel(text) }

  private func samples(_ seed: UInt64) throws -> HeldBatches {
    try HeldBatches(seeded: model().graph, count: 2, seed: seed, shapes: ["x": [20, 8]])
  }

  /// Calls `body` with a folder that is there meanwhile.
  private func inFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  private func calibrator(_ seed: UInt64, _ change: (inout PruneOptions) -> Void = { _ in }) throws
    -> Calibrator
  {
    var options = PruneOptions()
    change(&options)
    return Calibrator(options, try samples(seed))
  }

  private func read(_ paths: [String]) throws -> StatisticsFiles {
    try StatisticsFiles(paths) { error, _ in error }
  }

  private func text(_ paths: [String]) -> String? {
    do {
      _ = try read(paths)
      return nil
    } catch { return "\(error)" }
  }

  @Test func partsAddUp() throws {
    try inFolder { folder in
      let paths = [1, 2].map { folder.appending(path: "\($0).stats").path }
      for (path, seed) in zip(paths, [100, 200] as [UInt64]) {
        try calibrator(seed).statistics(of: model()).file.write(to: path)
      }
      let both = try read(paths)
      #expect(both.warnings.isEmpty)
      #expect(both.stored.sums.samples.count == 80)
      let single = try paths.map { try read([$0]).stored }
      for (name, moments) in both.stored.sums.moments {
        let (a, b) = (single[0].sums.moments[name]!, single[1].sums.moments[name]!)
        #expect(moments.count == a.count + b.count && moments.count > 0)
        #expect(moments.packedSecond == (a + b).packedSecond)
      }
      // The order does not matter.
      #expect(try read(paths.reversed()).stored.fingerprint == both.stored.fingerprint)
      // The damage is that of these statistics.
      let damage = folder.appending(path: "damage").path
      try calibrator(300).damage(of: model(), with: both.stored).file.write(to: damage)
      #expect(try read(paths + [damage]).stored.damage?.sampleCount ?? 0 > 0)
      let other = try read([paths[0], damage])
      #expect(other.stored.damage == nil)
      #expect(other.warnings.count == 1)
      #expect(text([damage])?.contains("no statistics") == true)
    }
  }

  @Test func statisticsTakeThePlaceOfSamples() throws {
    try inFolder { folder in
      let path = folder.appending(path: "a.stats").path
      try calibrator(100).statistics(of: model()).file.write(to: path)
      let stored = try read([path]).stored
      var options = PruneOptions()
      let notes = try options.take(stored)
      #expect(notes.count == 1 && notes[0].severity == .note)
      var pruner = Pruner(options)
      pruner.stored = stored
      let result = try pruner.prune(model())
      #expect(result.report.pipeline.contains("collect-statistics{stats=stored}"))
      #expect(result.report.pipeline.contains("refit-layers"))
      #expect(result.report.statistics?.fitIsSymmetric == true)
      options.iterations = 2
      #expect(throws: CompileError.self) { try options.pipelineText() }
      // Another model.
      let other = try model(Self.network.replacing("Relu", with: "Tanh"))
      let error = #expect(throws: CompileError.self) { try pruner.prune(other) }
      #expect(error?.description.contains("a.stats holds statistics of another model") == true)
    }
  }

  @Test func filesThatDoNotBelongTogetherAreRefused() throws {
    try inFolder { folder in
      func write(_ name: String, _ file: StatisticsFile) throws -> String {
        let path = folder.appending(path: name).path
        try file.write(to: path)
        return path
      }
      let one = try write("one", calibrator(100).statistics(of: model()).file)
      #expect(
        text([one, try write("same", calibrator(100).statistics(of: model()).file)])?
          .contains("same contents") == true)
      let seeded = try write("seed", calibrator(200) { $0.seed = 7 }.statistics(of: model()).file)
      #expect(text([one, seeded])?.contains("seed is 7, not 0") == true)
      let other = try model(Self.network.replacing("Relu", with: "Tanh"))
      let tanh = try write("tanh", calibrator(200).statistics(of: other).file)
      #expect(text([one, tanh])?.contains("another model") == true)
      // Half of the samples are the same.
      let batches = try [samples(100).tensors(ofBatch: 0), samples(900).tensors(ofBatch: 0)]
      let half = try write(
        "half", Calibrator(PruneOptions(), HeldBatches(batches)).statistics(of: model()).file)
      #expect(try read([one, half]).warnings.first?.message.contains("20 of the samples") == true)
    }
  }

  @Test func damagedFilesAreRefused() throws {
    try inFolder { folder in
      let path = folder.appending(path: "a.stats").path
      try calibrator(100).statistics(of: model()).file.write(to: path)
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      for place in stride(from: 40, to: whole.count, by: 97) {
        var bytes = whole
        bytes[place] ^= 0x10
        try bytes.write(to: URL(fileURLWithPath: path))
        let message = text([path])
        // Bytes of the archive that say nothing of its contents may change.
        if message == nil { #expect(try read([path]).stored.sums.samples.count == 40) }
      }
      for count in [0, 1, 100, whole.count / 2, whole.count - 1] {
        try whole.prefix(count).write(to: URL(fileURLWithPath: path))
        #expect(text([path]) != nil, "\(count) bytes")
      }
      #expect(text([folder.appending(path: "none").path]) != nil)
    }
  }
}
