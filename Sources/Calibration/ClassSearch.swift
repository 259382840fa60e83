import Foundation
import PrunecGraphIR
import PrunecRuntime
import PrunecSemantics
import PrunecTensors

/// Search for images that a classifier takes for its classes, by runs of the classifier alone.
///
/// Made-up images show a classifier few of its classes: of 4,096 dead leaves, classifiers of ten classes of clothes took nine tenths
/// for two or three of them, so that channels that serve the others looked idle. Every second image is therefore changed until the
/// classifier takes it for a class of its own, all classes in turn: a step draws one more shape onto the image, which stays where the
/// probability of the class has risen, until that is 0.9 (a (1+1) evolution strategy; the images stay dead leaves, and no gradient
/// is needed). The others stay as they are: real images are no more alike than those.
package struct ClassSearch {
  /// Steps after which hardly more is gained.
  private static let stepLimit = 120
  /// Logarithm of the probability from which on an image is left as it is.
  private static let certain = log(0.9)
  /// Fewer steps change too little to be worth their time.
  private static let fewestSteps = 8

  /// Number of samples for which `limit` admits all steps.
  package static func affordableImages(macs: Int, limit: Double) -> Double {
    2 * limit / (Double(stepLimit) * Double(max(1, macs)))
  }

  private let images: SyntheticImages
  private let samples: SyntheticSamples
  private let session: Session
  private let seed: UInt64
  /// Number of the output that scores the classes.
  private let output: Int
  private let classCount: Int
  /// Number of steps.
  package let steps: Int

  /// Number of images that are changed.
  private var soughtCount: Int { (samples.sampleCount + 1) / 2 }

  /// Most runs of the model on one sample.
  package var runCount: Int { (steps + 1) * soughtCount }

  /// A search that takes at most about `limit` multiply-accumulate operations, of which the graph does `macs` for one sample.
  ///
  /// `nil` where the samples are not images alone, no output scores classes, or the limit admits hardly any step.
  package init?(
    _ graph: Graph, _ samples: SyntheticSamples, macs: Int, limit: Double, seed: UInt64
  ) throws(CompileError) {
    guard let images = samples.images else { return nil }
    let sought = Double((samples.sampleCount + 1) / 2)
    steps = Int(min(Double(Self.stepLimit), limit / (sought * Double(max(1, macs)))))
    guard steps >= Self.fewestSteps else { return nil }
    (self.images, self.samples, self.seed) = (images, samples, seed)
    session = Session(graph)
    let outputs = try session.run(try samples.tensors(ofBatch: 0))
    guard
      let output = outputs.firstIndex(where: {
        $0.elementType.isFloatingPoint && $0.shape.first == images.count
          && ClassScores.classCount(ofShape: $0.shape) != nil
      })
    else { return nil }
    self.output = output
    classCount = outputs[output].shape[1]
  }

  /// The samples, every second changed. `progress` gets the share that is done.
  package func run(
    _ progress: ((Double) -> Void)? = nil
  ) throws(CompileError) -> HeldBatches {
    let length = images.elementCount
    var scenes = (0..<samples.count).flatMap { samples.scenes(ofBatch: $0) }
    let line = images.standardization(of: scenes)
    var generator = SplitMix64(seed: seed)
    let classes = Array(0..<classCount).shuffled(using: &generator)
    var leaves = images.leaves(seed: generator.next())
    // Places of the images that are changed and not yet taken for their classes.
    var sought = Array(stride(from: 0, to: scenes.count / length, by: 2))
    func elements(_ place: Int) -> Range<Int> { (place * length)..<((place + 1) * length) }
    var greatest: [Int: Double] = [:]
    for step in 0...steps where !sought.isEmpty {
      progress?(Double(step) / Double(steps + 1))
      for start in stride(from: 0, to: sought.count, by: images.count) {
        let batch = (0..<images.count).map { sought[min(start + $0, sought.count - 1)] }
        var changed = batch.flatMap { scenes[elements($0)] }
        // The first step looks at what is there.
        if step > 0 {
          for place in batch.indices { leaves.draw(onto: &changed, at: place * length) }
        }
        let found = try logProbabilities(
          of: batch.map { classes[$0 / 2 % classCount] }, changed, line)
        for (place, image) in batch.enumerated()
        where found[place] > greatest[image] ?? -.infinity {
          greatest[image] = found[place]
          scenes.replaceSubrange(elements(image), with: changed[elements(place)])
        }
      }
      sought.removeAll { greatest[$0] ?? -.infinity >= Self.certain }
    }
    let size = images.count * length
    return HeldBatches(
      stride(from: 0, to: scenes.count, by: size).map { start in
        let own = Array(scenes[start..<(start + size)])
        return [images.tensor(of: own, by: images.standardization(of: own))]
      })
  }

  private func logProbabilities(
    of classes: [Int], _ scenes: [Float], _ line: SyntheticImages.Line
  ) throws(CompileError) -> [Double] {
    let outputs = try session.run([images.tensor(of: scenes, by: line)])
    guard let found = ClassScores.logProbabilities(of: classes, in: outputs[output]) else {
      preconditionFailure("an output has changed its shape")
    }
    return found
  }
}
