import CPrunecONNX
import PrunecGraphIR
import PrunecTensors

/// Reads `SparseTensorProto`s as the dense tensors that they describe.
///
/// A sparse tensor lists its elements that are not zero: `values [K]` and `indices`, which are
/// `[K]` positions in row-major order or `[K, rank]` coordinates. Every consumer of a graph can then
/// take its constants to be dense, at the price of the zeros in memory and in the file.
struct SparseTensorImporter {
  let session: ImportSession

  /// The dense tensor.
  ///
  /// Throws `.malformed` where extents, values and indices do not fit together, and `.unsupported`
  /// for elements that have no byte of their own and for more zeros than the memory limit admits.
  func tensor(
    _ proto: Message<Onnx__SparseTensorProto>, name: String
  ) throws(CompileError) -> Tensor {
    let location = Location.value(name)
    let shape = numbers(proto.pointee.dims, proto.pointee.n_dims).map { Int($0) }
    guard shape.count <= maximumRank, shape.isPlausibleShape,
      let valuesProto = proto.pointee.values
    else {
      throw CompileError(
        .malformed, "the sparse tensor has impossible extents or no values", at: location)
    }
    let importer = TensorImporter(session: session, hasInlineData: true)
    let values = try importer.tensor(valuesProto, name: name)
    let type = values.elementType
    guard type.isByteAligned, let count = shape.checkedElementCount,
      let byteCount = type.byteCount(of: count)
    else {
      throw CompileError(
        .unsupported, "a sparse tensor of \(type.name)\(shape) cannot be expanded", at: location)
    }
    guard values.hasData, values.rank == 1 else {
      throw CompileError(
        .malformed, "the values of the sparse tensor are not a list at hand", at: location)
    }
    try MemoryLimit.ask(byteCount, for: "the dense form of a sparse tensor", at: location)
    let positions = try self.positions(proto, of: values.count, in: shape, at: location)
    let width = type.bitWidth / 8
    var dense = Tensor(zeros: type, shape: shape)
    values.withUnsafeBytes { source in
      dense.withUnsafeMutableBytes { target in
        for (index, position) in positions.enumerated() {
          target[position * width..<(position + 1) * width].copyBytes(
            from: source[index * width..<(index + 1) * width])
        }
      }
    }
    return dense
  }

  /// The row-major position of each of `count` elements.
  private func positions(
    _ proto: Message<Onnx__SparseTensorProto>, of count: Int, in shape: [Int],
    at location: Location
  ) throws(CompileError) -> [Int] {
    guard let indicesProto = proto.pointee.indices else {
      guard count == 0 else {
        throw CompileError(.malformed, "the sparse tensor has no indices", at: location)
      }
      return []
    }
    let indices = try TensorImporter(session: session, hasInlineData: true).tensor(
      indicesProto, name: "indices")
    guard indices.elementType == .int64, indices.hasData,
      indices.shape == [count] || indices.shape == [count, shape.count]
    else {
      throw CompileError(
        .malformed,
        "the sparse tensor has \(count) values, but indices of "
          + "\(indices.elementType.name)\(indices.shape)", at: location)
    }
    let numbers = indices.integers
    let extents = indices.rank == 1 ? [shape.elementCount] : shape
    var positions: [Int] = []
    positions.reserveCapacity(count)
    var seen = Set<Int>(minimumCapacity: count)
    for index in 0..<count {
      let coordinates = numbers[index * extents.count..<(index + 1) * extents.count]
      guard zip(coordinates, extents).allSatisfy({ (0..<$1).contains($0) }) else {
        throw CompileError(
          .malformed, "index \(Array(coordinates)) of the sparse tensor is outside \(shape)",
          at: location)
      }
      let position = zip(coordinates, extents).reduce(0) { $0 * $1.1 + $1.0 }
      guard seen.insert(position).inserted else {
        throw CompileError(
          .malformed, "index \(Array(coordinates)) of the sparse tensor is given twice",
          at: location)
      }
      positions.append(position)
    }
    return positions
  }
}
