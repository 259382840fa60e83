import Operators

extension ModelInput {
  /// The elements of `source` with the type that the input takes. Floating point numbers are rounded to another floating
  /// point type; every other conversion has to be exact. Where `source` ends up with values that are not finite, the
  /// error says that it has them in `sample`.
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
    guard let converted, converted.converted(to: tensor.elementType) == tensor else {
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
    switch elementType {
    case .float32:
      return withElements(as: Float.self) { $0.allSatisfy(\.isFinite) }
    case .float64:
      return withElements(as: Double.self) { $0.allSatisfy(\.isFinite) }
    default: return floats.allSatisfy(\.isFinite)
    }
  }
}
