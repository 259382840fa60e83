import PrunecGraphIR

/// An input of a model, which samples are made for, or labels in arrays that samples have beside the inputs.
public struct ModelInput: Hashable, Sendable {
  public var name: String
  /// As far as the model declares it. Its first axis is that of the items of a batch.
  public var type: TensorType?
  /// Whether these are labels, which the model does not take.
  public let isLabels: Bool

  public init(name: String, type: TensorType?) {
    self.name = name
    self.type = type
    isLabels = false
  }

  /// The array of labels of that name, `[N, ...]`, whatever its type.
  public init(labels name: String) {
    self.name = name
    isLabels = true
  }

  /// The inputs of a graph, in its order.
  public static func inputs(of graph: Graph) -> [ModelInput] {
    graph.inputs.map { ModelInput(name: graph[$0].name, type: graph[$0].tensorType) }
  }

  /// Number of items that the model takes at once, where it leaves no choice.
  var fixedBatch: Int? { type?.shape?.first?.fixedExtent }

  /// Throws a usage error where `shape` `[items, ...]`, which is that of `source`, does not fit the input, but for the number
  /// of items.
  func check(_ shape: [Int], of source: String) throws(CompileError) {
    guard let dimensions = type?.shape else { return }
    let fits =
      dimensions.count == shape.count
      && zip(dimensions, shape).dropFirst().allSatisfy { dimension, extent in
        dimension.fixedExtent == nil || dimension.fixedExtent == extent
      }
    guard fits else {
      throw CompileError(.usage, "input '\(name)' takes \(shapeText), \(source) is \(shape)")
    }
  }

  /// The shape as it is printed: `[N, 3, 224, 224]`.
  var shapeText: String {
    guard let dimensions = type?.shape else { return "any shape" }
    let extents = dimensions.enumerated().map { axis, dimension in
      switch dimension.extent {
      case _ where axis == 0: "N"
      case .fixed(let extent): "\(extent)"
      case .symbol(let name): name
      case .unknown: "?"
      }
    }
    return "[" + extents.joined(separator: ", ") + "]"
  }
}
