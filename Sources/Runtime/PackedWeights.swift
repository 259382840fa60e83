import CPrunecKernels
import PrunecGraphIR
import PrunecTensors

/// The constant weights of a product in the kernels' own order, and its biases: packed when they are first used.
///
/// Unchecked: steps are bound on one thread.
final class PackedWeights: @unchecked Sendable {
  /// Which node's they are, and of what shape: a node that becomes several products has several.
  struct Key: Hashable {
    var node: NodeID
    var part: Int
    /// The last value that is computed with them, where that is not the same for all shapes of the inputs: nodes up to
    /// there may have been taken into the weights.
    var result: ValueID?
  }

  private var make: ((WeightCache) throws(CompileError) -> Contents)?
  private var made: Contents?

  /// The numbers in the kernels' order.
  struct Contents {
    let weights: TensorStorage
    let biases: TensorStorage?

    init(weights: TensorStorage, biases: TensorStorage?) {
      (self.weights, self.biases) = (weights, biases)
    }

    /// Packs `elements` as the strides of `packing` say, whose addresses are filled in here: of each
    /// output channel times its factor. `offset` is that of the first element.
    init(
      _ packing: prunec_packing, _ elements: [Float], offset: Int = 0, factors: [Float]?,
      biases: [Float]?
    ) {
      var packing = packing
      var elements = elements
      if let factors {
        PackedWeights.multiply(&elements, offset: offset, packing, factors)
      }
      weights = TensorStorage(byteCount: 4 * Kernels.packedCount(packing)) { bytes in
        elements.withUnsafeBufferPointer { source in
          packing.w = source.baseAddress! + offset
          packing.packed = bytes.bindMemory(to: Float.self).baseAddress!
          let call = KernelCall(
            packing, units: Kernels.table.pointee.packing_units, Kernels.table.pointee.packing)
          call.run(0..<call.units)
        }
      }
      self.biases = biases.map(PackedWeights.storage)
    }
  }

  /// What `make` gives, which is called when a kernel first asks for it: a plan that takes too much memory is given
  /// up before, and weights that are computed are needed no longer than that.
  init(_ make: @escaping (WeightCache) throws(CompileError) -> Contents) { self.make = make }

  func contents(_ cache: WeightCache) throws(CompileError) -> Contents {
    if let made { return made }
    let contents = try make!(cache)
    made = contents
    make = nil
    return contents
  }

  static func storage(_ numbers: [Float]) -> TensorStorage {
    // A vector may be read at once, beyond the last number.
    let padded = numbers + [Float](repeating: 0, count: 64)
    return padded.withUnsafeBytes { source in
      TensorStorage(byteCount: source.count) { $0.copyMemory(from: source) }
    }
  }

  fileprivate static func multiply(
    _ elements: inout [Float], offset: Int, _ packing: prunec_packing, _ factors: [Float]
  ) {
    let filters = packing.out_channels
    for group in 0..<packing.groups {
      for filter in 0..<filters {
        let factor = factors[group * filters + filter]
        for u in 0..<packing.kernel_height {
          for v in 0..<packing.kernel_width {
            let start =
              offset + group * packing.w_group + filter * packing.output + u * packing.kernel_row
              + v * packing.kernel_column
            for c in 0..<packing.in_channels { elements[start + c * packing.input] *= factor }
          }
        }
      }
    }
  }
}

extension Kernels {
  /// How many float32 the packed weights of one group take.
  static func packedSize(_ packing: prunec_packing) -> Int {
    table.pointee.packed_size(
      packing.out_channels, packing.in_channels, packing.kernel_height * packing.kernel_width)
  }

  /// How many they take of all groups and batch items.
  static func packedCount(_ packing: prunec_packing) -> Int {
    packedSize(packing) * packing.batch * packing.groups
  }
}
