import PrunecGraphIR
import PrunecTensors

/// Reproducible inputs for running a graph: the same seed gives the same tensors everywhere.
public struct SeededInputs: Sendable {
  private let seed: UInt64
  /// The extent given to every axis but the first whose extent is not a number.
  private let freeExtent: Int
  /// The extent given to a first axis, the batch, that is not a number.
  private static let batch = 2
  private static let elementLimit = 1 << 24

  public init(seed: UInt64 = 0, freeExtent: Int = 2) {
    self.seed = seed
    self.freeExtent = freeExtent
  }

  /// One tensor for each input of `graph`: standard normal floats, integers 0 and 1, booleans. `shapes` says which
  /// extents an input of that name has, and `given` which tensor it is.
  ///
  /// Throws an unsupported error for an input that is no dense numeric tensor of known rank, and for one that is too
  /// large.
  public func tensors(
    for graph: Graph, shapes: [String: [Int]] = [:], given: [String: Tensor] = [:]
  ) throws(CompileError) -> [Tensor] {
    var generator = SplitMix64(seed: seed)
    return try graph.inputs.map { (id) throws(CompileError) -> Tensor in
      let value = graph[id]
      if let tensor = given[value.name] { return tensor }
      guard let type = value.tensorType, let elementType = type.elementType,
        let extents = shapes[value.name]
          ?? type.shape?.enumerated().map({ axis, dimension in
            dimension.fixedExtent ?? (axis == 0 ? Self.batch : freeExtent)
          })
      else { throw Self.impossible(value.name, "its type") }
      guard Self.isSmallEnough(extents) else {
        throw Self.impossible(
          value.name, "shape \(extents): that has more than \(Self.elementLimit) elements")
      }
      guard let tensor = Self.tensor(elementType, extents, &generator) else {
        throw Self.impossible(value.name, "its type")
      }
      return tensor
    }
  }

  private static func impossible(_ input: String, _ reason: String) -> CompileError {
    CompileError(.unsupported, "no input can be made up for \(reason)", at: .value(input))
  }

  private static func isSmallEnough(_ extents: [Int]) -> Bool {
    extents.allSatisfy { $0 >= 0 }
      && extents.checkedElementCount.map { $0 <= elementLimit } ?? false
  }

  /// A tensor as inputs are; `nil` for types that are not numeric, and for what is too large.
  static func tensor(
    _ elementType: ElementType, _ extents: [Int], _ generator: inout SplitMix64
  ) -> Tensor? {
    guard isSmallEnough(extents) else { return nil }
    let count = extents.elementCount
    switch elementType {
    case .float32, .float64, .float16, .bfloat16:
      return Tensor(
        rounding: (0..<count).map { _ in generator.nextNormal() }, to: elementType, shape: extents)
    case .bool, .uint8, .int8:
      return Tensor(
        elementType, shape: extents,
        elements: (0..<count).map { _ in UInt8(generator.next() & 1) })
    case .int32, .uint32:
      return Tensor(
        elementType, shape: extents,
        elements: (0..<count).map { _ in Int32(generator.next() & 1) })
    case .int64, .uint64:
      return Tensor(
        elementType, shape: extents,
        elements: (0..<count).map { _ in Int64(generator.next() & 1) })
    default: return nil
    }
  }
}
