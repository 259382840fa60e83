import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// Samples made up for a graph: the same seed gives the same ones everywhere.
///
/// | input | samples |
/// | --- | --- |
/// | images: floats or bytes `[N, C, H, W]` or `[N, H, W, C]`, C from 1 to 4 | `DeadLeaves`, brought to the mean and deviation |
/// | integers that pick rows of a constant table | rows drawn evenly |
/// | other integers and booleans | zeros and ones |
/// | other floats | normally distributed, of the mean and deviation |
public struct SyntheticSamples: CalibrationBatches {
  /// Mean and standard deviation of floats.
  public struct Distribution: Sendable, Hashable {
    public var mean: Float
    public var deviation: Float

    public init(mean: Float = 0, deviation: Float = 1) {
      (self.mean, self.deviation) = (mean, deviation)
    }
  }

  private struct Input: Sendable {
    let type: ElementType
    let shape: [Int]
    let distribution: Distribution
    /// `nil` for what is no image.
    let images: SyntheticImages?
    /// Number of rows of the table that integers pick from.
    let rows: Int
  }

  private let inputs: [Input]
  private let samples: Int
  private let batchSize: Int
  private let seed: UInt64

  /// Samples of the extents that `shapes` gives, of one distribution for all inputs or, without, of the one that the graph
  /// suggests for each (`Distribution.guess`), else mean 0 and deviation 1. `nil` where an input takes no numbers.
  public init?(
    for graph: Graph, _ shapes: InputShapes, count: Int, batchSize: Int, seed: UInt64,
    distribution: Distribution? = nil
  ) {
    var inputs: [Input] = []
    var size = batchSize
    for id in graph.inputs {
      let value = graph[id]
      guard let type = value.tensorType?.elementType,
        type.isFloatingPoint || type.isInteger || type == .bool,
        let whole = shapes.extents(ofInput: value.name, batch: batchSize)
      else { return nil }
      // What the model fixes, it fixes for all.
      if let first = whole.first, first != batchSize { size = max(1, first) }
      let distribution =
        distribution ?? Distribution.guess(ofInput: id, in: graph) ?? Distribution()
      inputs.append(
        Input(
          type: type, shape: whole, distribution: distribution,
          images: SyntheticImages(type, whole, distribution), rows: Self.rows(pickedBy: id, graph)))
    }
    guard !inputs.isEmpty else { return nil }
    (self.inputs, samples, self.batchSize) = (inputs, count, size)
    self.seed = seed
  }

  /// The least number of rows of a table of fixed shape from which the elements of an input pick; 2 where there is none.
  private static func rows(pickedBy input: ValueID, _ graph: Graph) -> Int {
    let tables = graph[input].uses.compactMap { use -> Int? in
      guard case .operand(let node, 1) = use, graph[node].operation == OperationName("Gather"),
        let table = graph[node].inputs[0].flatMap({ graph[$0].tensorType?.fixedShape }),
        table.count >= 2
      else { return nil }
      var axis = 0
      if case .int(let given)? = graph[node].attribute("axis")?.value {
        axis = Int(clamping: given)
      }
      let place = axis < 0 ? axis + table.count : axis
      return table.indices.contains(place) ? table[place] : nil
    }
    return max(1, tables.min() ?? 2)
  }

  public var count: Int { max(1, samples / batchSize) }

  public func sampleCount(ofBatch index: Int) -> Int { batchSize }

  /// The images that samples consist of; `nil` where they have other parts.
  var images: SyntheticImages? { inputs.count == 1 ? inputs[0].images : nil }

  /// Scenes of a batch of `images`.
  func scenes(ofBatch index: Int) -> [Float] {
    images.map { $0.scenes(seed: seed(ofBatch: index, input: 0)) } ?? []
  }

  private func seed(ofBatch index: Int, input place: Int) -> UInt64 {
    seed &+ UInt64(index * inputs.count + place) &* 0x9E37
  }

  public func tensors(ofBatch index: Int) throws(CompileError) -> [Tensor] {
    inputs.enumerated().map { place, input in
      let seed = seed(ofBatch: index, input: place)
      if let images = input.images {
        let scenes = images.scenes(seed: seed)
        return images.tensor(of: scenes, by: images.standardization(of: scenes))
      }
      var generator = SplitMix64(seed: seed)
      let count = input.shape.elementCount
      guard !input.type.isFloatingPoint else {
        let elements = (0..<count).map { _ in
          input.distribution.mean + input.distribution.deviation * generator.nextNormal()
        }
        return Tensor(rounding: elements, to: input.type, shape: input.shape)
      }
      let numbers = (0..<count).map { _ in
        Int(generator.next() % UInt64(input.type == .bool ? 2 : input.rows))
      }
      return Tensor(wrapping: numbers, to: input.type, shape: input.shape)
    }
  }
}
