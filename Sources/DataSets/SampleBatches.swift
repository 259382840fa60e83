import PrunecGraphIR
import PrunecTensors

/// Samples of a set, stacked into batches that a model takes. Nothing is held of them but their numbers and shapes.
public struct SampleBatches: Sendable {
  public let set: any DataSet
  public let inputs: [ModelInput]
  /// Samples left out, or is fewer than was asked for.
  public private(set) var warnings: [Diagnostic]
  private let seed: UInt64
  private let batchSize: Int
  private let samples: [ChosenSample]
  private let batches: [Batch]

  private struct ChosenSample {
    let index: Int
    /// In the order of the inputs.
    let shapes: [[Int]]
    let label: Int?

    /// Whether it is one item, which others can be stacked on.
    var isSingle: Bool { shapes.allSatisfy { $0.first == 1 } }

    /// Number of items: the extent of the first axes, where they agree.
    var itemCount: Int {
      let extents = Set(shapes.map { $0.first ?? 1 })
      return extents.count == 1 ? extents.first! : 1
    }
  }

  private struct Batch {
    var samples: [ChosenSample]
    /// Number of times that the last sample is repeated to fill a batch of a fixed size.
    var filling = 0

    var itemCount: Int { samples.reduce(0) { $0 + $1.itemCount } }
  }

  /// Chooses samples at random, all where `count` is `nil`, and looks at each. Those that are damaged are replaced by others
  /// and named in `warnings`.
  ///
  /// Samples of equal shapes share a batch, in the order of the set. Where the model fixes the size of a batch, every one
  /// has that, and the last is filled up with its last sample; elsewhere it is `batchSize`. ONNX's test data of several
  /// items is a batch by itself.
  ///
  /// Throws a usage error where the model's inputs have no size of a batch in common, a malformed error where no sample can be
  /// used, and what the set throws.
  public init(
    _ set: any DataSet, inputs: [ModelInput], choosing count: Int? = nil, seed: UInt64 = 0,
    batchSize: Int = 32
  ) throws(CompileError) {
    let wanted = count ?? set.count
    var order = Array(0..<set.count)
    if wanted < set.count {
      var generator = SplitMix64(seed: seed)
      order.shuffle(using: &generator)
    }
    var (samples, damages): ([ChosenSample], [String]) = ([], [])
    for index in order {
      guard samples.count < wanted else { break }
      switch try set.state(at: index) {
      case .usable(let shapes, let label):
        samples.append(ChosenSample(index: index, shapes: shapes, label: label))
      case .damaged(let damage): damages.append(damage)
      }
    }
    guard !samples.isEmpty else {
      throw CompileError(
        .malformed, "has no sample that can be used", notes: Self.firstFew(damages))
    }
    var warnings = set.warnings
    if !damages.isEmpty {
      warnings.append(
        Diagnostic(
          .warning, "\(counted(damages.count, "sample")) left out, which cannot be decoded",
          notes: Self.firstFew(damages)))
    }
    if let count, samples.count < count {
      warnings.append(
        Diagnostic(
          .warning, "has \(counted(samples.count, "sample")), \(count) were asked for"))
    }
    try self.init(
      set, inputs, samples.sorted { $0.index < $1.index }, seed, batchSize, warnings)
  }

  private init(
    _ set: any DataSet, _ inputs: [ModelInput], _ samples: [ChosenSample], _ seed: UInt64,
    _ batchSize: Int, _ warnings: [Diagnostic]
  ) throws(CompileError) {
    self.set = set
    self.inputs = inputs
    self.samples = samples
    self.seed = seed
    self.batchSize = batchSize
    self.warnings = warnings
    batches = try Self.batches(of: samples, inputs, batchSize)
  }

  private static func firstFew(_ damages: [String]) -> [String] {
    damages.prefix(10) + (damages.count > 10 ? ["and \(damages.count - 10) more"] : [])
  }

  private static func batches(
    of samples: [ChosenSample], _ inputs: [ModelInput], _ batchSize: Int
  ) throws(CompileError) -> [Batch] {
    let fixed = try samples.contains(where: \.isSingle) ? fixedSize(of: inputs) : nil
    let size = max(1, fixed ?? batchSize)
    var batches: [Batch] = []
    var growing: [(shapes: [[Int]], batch: Batch)] = []
    for sample in samples {
      guard sample.isSingle else {
        try check(sample, inputs)
        batches.append(Batch(samples: [sample]))
        continue
      }
      let place = growing.firstIndex { $0.shapes == sample.shapes } ?? growing.count
      if place == growing.count { growing.append((sample.shapes, Batch(samples: []))) }
      growing[place].batch.samples.append(sample)
      if growing[place].batch.samples.count == size {
        batches.append(growing.remove(at: place).batch)
      }
    }
    for (_, batch) in growing {
      var batch = batch
      if let fixed { batch.filling = fixed - batch.samples.count }
      batches.append(batch)
    }
    return batches
  }

  /// The number of items that the model takes at once, where it fixes that.
  private static func fixedSize(of inputs: [ModelInput]) throws(CompileError) -> Int? {
    guard let input = inputs.first(where: { $0.fixedBatch != nil }) else { return nil }
    for other in inputs where other.fixedBatch ?? input.fixedBatch != input.fixedBatch {
      throw CompileError(
        .usage,
        "holds single samples, and the model takes \(input.fixedBatch!) of '\(input.name)' at once, "
          + "\(other.fixedBatch!) of '\(other.name)'")
    }
    guard input.fixedBatch != 0 else {
      throw CompileError(.usage, "input '\(input.name)' takes batches of no items")
    }
    return input.fixedBatch
  }

  /// Throws a usage error where a sample of several items is not as many as the model takes.
  private static func check(
    _ sample: ChosenSample, _ inputs: [ModelInput]
  ) throws(CompileError) {
    for (input, shape) in zip(inputs, sample.shapes) {
      guard let fixed = input.fixedBatch, fixed != shape.first else { continue }
      throw CompileError(
        .usage,
        "sample \(sample.index) is \(shape) for input '\(input.name)', which takes \(fixed) at once"
      )
    }
  }

  /// Number of batches.
  public var count: Int { batches.count }

  /// Number of items in all batches, repetitions aside.
  public var itemCount: Int { batches.reduce(0) { $0 + $1.itemCount } }

  /// Number of a batch's items that are no repetitions; these come first.
  public func itemCount(ofBatch batch: Int) -> Int { batches[batch].itemCount }

  /// The numbers that the samples of a batch have in the set.
  public func sampleIndices(ofBatch batch: Int) -> [Int] { batches[batch].samples.map(\.index) }

  /// The label of each sample of a batch; `nil` where the set has none.
  public func labels(ofBatch batch: Int) -> [Int]? { Self.labels(of: batches[batch].samples) }

  /// The label of each sample, batch by batch; `nil` where the set has none.
  public var labels: [Int]? { Self.labels(of: batches.flatMap(\.samples)) }

  private static func labels(of samples: [ChosenSample]) -> [Int]? {
    let labels = samples.compactMap(\.label)
    return labels.count == samples.count ? labels : nil
  }

  /// Reads the tensors of a batch, in the order of the model's inputs.
  ///
  /// Throws what the set throws.
  public func tensors(ofBatch batch: Int) throws(CompileError) -> [Tensor] {
    let batch = batches[batch]
    var samples: [Sample] = []
    for chosen in batch.samples { samples.append(try set.sample(at: chosen.index)) }
    if let last = samples.last {
      samples += [Sample](repeating: last, count: batch.filling)
    }
    return inputs.map { input in
      let parts = samples.map { $0.inputs[input.name]! }
      return parts.count == 1 ? parts[0] : Tensor.concatenated(parts, alongAxis: 0)
    }
  }

  /// Divides the samples at random. `heldBack` gets the given fraction of them, rounded, but at least one of several;
  /// `fit` has the others.
  public func split(
    heldBack fraction: Double = 0.2
  ) throws(CompileError) -> (fit: SampleBatches, heldBack: SampleBatches) {
    precondition((0...1).contains(fraction))
    // Another stream than that of the choice.
    var generator = SplitMix64(seed: ~seed)
    let order = samples.indices.shuffled(using: &generator)
    let rounded = Int((Double(samples.count) * fraction).rounded())
    let count = fraction == 0 ? 0 : min(max(1, rounded), samples.count - 1)
    func part(_ numbers: ArraySlice<Int>, _ warnings: [Diagnostic]) throws(CompileError)
      -> SampleBatches
    {
      try SampleBatches(
        set, inputs, numbers.sorted().map { samples[$0] }, seed, batchSize, warnings)
    }
    return (try part(order[count...], warnings), try part(order[..<count], []))
  }
}
