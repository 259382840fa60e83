import PrunecGraphIR
import PrunecOperators
import PrunecTensors

extension ModelInput {
  /// `tensor` with the element type that the input takes. Floating point numbers are rounded to another floating point
  /// type; every other conversion has to be exact. Errors call the tensor `source`, and say which `sample` it is of.
  ///
  /// Throws a usage error where the input's type cannot express the elements, and a malformed error for values that are NaN
  /// or infinite, or become so.
  func fitted(
    _ tensor: Tensor, of source: String, sample: Int
  ) throws(CompileError) -> Tensor {
    let fitted = try converted(tensor, of: source)
    guard fitted.isFinite else {
      throw CompileError(
        .malformed,
        tensor.isFinite
          ? "\(source) has a value beyond the range of \(fitted.elementType.name) in sample \(sample)"
          : "\(source) has a value that is NaN or infinite in sample \(sample)")
    }
    return fitted
  }

  private func converted(_ tensor: Tensor, of source: String) throws(CompileError) -> Tensor {
    guard let wanted = type?.elementType, wanted != tensor.elementType else { return tensor }
    let converted = tensor.converted(to: wanted)
    if let converted, tensor.elementType.isFloatingPoint, wanted.isFloatingPoint {
      return converted
    }
    guard let converted, let back = converted.converted(to: tensor.elementType),
      back == tensor || tensor.elementType.isFloatingPoint && back.isEqual(to: tensor)
    else {
      throw CompileError(
        .usage,
        "\(source) is \(tensor.elementType.name), and input '\(name)' takes \(wanted.name), which "
          + "cannot express its elements")
    }
    return converted
  }
}

extension Tensor {
  /// Whether no element is NaN or infinite.
  fileprivate var isFinite: Bool {
    guard elementType.isFloatingPoint else { return true }
    if elementType == .float64 {
      return withElements(as: Double.self) { $0.allSatisfy(\.isFinite) }
    }
    if elementType == .float32 {
      return withElements(as: Float.self) { $0.allSatisfy(\.isFinite) }
    }
    return floats.allSatisfy(\.isFinite)
  }

  /// Whether the elements are the same numbers, of which zero is one, whatever its sign.
  fileprivate func isEqual(to other: Tensor) -> Bool {
    converted(to: .float64)?.array(of: Double.self)
      == other.converted(to: .float64)?.array(of: Double.self)
  }
}
