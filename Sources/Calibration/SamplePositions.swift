import PrunecGraphIR
import PrunecOperators
import PrunecSemantics
import PrunecTensors

/// A seeded choice of positions of a layer's result, sample by sample.
///
/// The positions of a sample depend on nothing but the sample, the layer and the seed: sums over parts of some samples add up to
/// those over all, however the samples are divided and batched.
struct SamplePositions {
  /// Positions of a sample at most.
  let limit: Int
  let seed: UInt64

  /// Positions that are looked at, increasing within each sample. `samples` has a number for each sample that counts
  /// (`SampleFingerprints`), `extent` is the number of samples in the batch with those that fill it up.
  func choose(of layout: Layout, samples: [UInt64], extent: Int) -> [Int] {
    guard layout.isDivisible(by: extent) else {
      let whole = samples.reduce(0) { ($0 ^ $1) &* 0x9E37_79B9_7F4A_7C15 }
      return choose(layout.count, whole, limit * max(1, samples.count))
    }
    let length = layout.count / extent
    return samples.enumerated().flatMap { sample, number in
      choose(length, number, limit).map { layout.position($0, ofSample: sample, of: extent) }
    }
  }

  private func choose(_ count: Int, _ number: UInt64, _ limit: Int) -> [Int] {
    var chooser = Positions(seed: seed ^ number)
    return chooser.choose(limit, of: count)
  }

  /// Arrangement of the samples among the positions of a result.
  struct Layout {
    /// Number of positions before, along, and after the axis that samples lie along.
    let outer, middle, inner: Int

    /// `extents` are those of the axes of positions, `axis` is the one among them that samples lie along; `nil` where they
    /// are not told apart.
    init(extents: [Int], axis: Int?) {
      guard let axis else {
        (outer, middle, inner) = (1, 1, extents.reduce(1, *))
        return
      }
      outer = extents[..<axis].reduce(1, *)
      middle = extents[axis]
      inner = extents[(axis + 1)...].reduce(1, *)
    }

    var count: Int { outer * middle * inner }

    func isDivisible(by samples: Int) -> Bool {
      samples > 0 && middle % samples == 0 && middle > 0
    }

    /// The place of a position of a sample among those of all.
    func position(_ index: Int, ofSample sample: Int, of samples: Int) -> Int {
      let own = middle / samples
      let (rest, last) = index.quotientAndRemainder(dividingBy: max(1, inner))
      let (first, between) = rest.quotientAndRemainder(dividingBy: own)
      return (first * middle + sample * own + between) * inner + last
    }
  }
}

/// The axes of values that samples lie along, found by comparing extents for batches of two sizes.
struct SampleAxes {
  private let facts: GraphFacts
  private let others: GraphFacts?

  /// `types` are those of the inputs, samples along the first axis of each, and `facts` what follows from them.
  init(_ graph: Graph, _ types: [TensorType], _ facts: GraphFacts) {
    self.facts = facts
    let larger = types.map { type in
      var shape = type.fixedShape ?? []
      if !shape.isEmpty { shape[0] += 1 }
      return TensorType(type.elementType ?? .float32, fixed: shape)
    }
    others = try? GraphFacts(of: graph.withInputs(larger))
  }

  /// The axis of a value whose extent grows with the number of samples; the first one where that is not known, and `nil`
  /// where there are several.
  func axis(of value: ValueID) -> Int? {
    guard let shape = facts[value].fixedShape else { return nil }
    guard let other = others?[value].fixedShape, other.count == shape.count else {
      return shape.isEmpty ? nil : 0
    }
    let axes = shape.indices.filter { shape[$0] != other[$0] }
    return axes.count == 1 ? axes[0] : nil
  }
}
