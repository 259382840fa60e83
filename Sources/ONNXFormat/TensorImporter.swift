import CPrunecONNX
import CPrunecProtobufC
import PrunecGraphIR
import PrunecTensors

/// Reads `TensorProto`s.
struct TensorImporter {
  let session: ImportSession
  /// Whether raw data lies in the message itself: the scanner leaves sparse tensors as they are.
  var hasInlineData = false

  /// The tensor that `proto` describes. `name` is what diagnostics call it.
  ///
  /// Throws `.malformed` where type, extents and data do not fit together, and `.inputOutput` where
  /// its external data cannot be read.
  func tensor(
    _ proto: Message<Onnx__TensorProto>, name: String
  ) throws(CompileError) -> Tensor {
    let location = Location.value(name)
    let number = proto.pointee.data_type
    guard proto.pointee.has_data_type != 0, let type = ElementType(rawValue: number) else {
      throw CompileError(
        .malformed, "the tensor has the unknown element type \(number)", at: location)
    }
    guard proto.pointee.segment == nil else {
      throw CompileError(.malformed, "tensors stored in segments are not supported", at: location)
    }
    let shape = try shape(of: proto, at: location)

    let isExternal = proto.pointee.data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL
    if isExternal && proto.pointee.has_data_location != 0 {
      guard proto.pointee.has_raw_data == 0, filledFields(of: proto).isEmpty else {
        throw CompileError(
          .malformed, "the tensor has both external and internal data", at: location)
      }
      return try externalTensor(proto, type, shape, at: location)
    }
    if proto.pointee.has_raw_data != 0 {
      guard filledFields(of: proto).isEmpty else {
        throw CompileError(.malformed, "the tensor has both raw and typed data", at: location)
      }
      return try rawTensor(proto, type, shape, at: location)
    }
    return try TypedTensorData(proto: proto, type: type, shape: shape, location: location).tensor()
  }

  private func shape(
    of proto: Message<Onnx__TensorProto>, at location: Location
  ) throws(CompileError) -> [Int] {
    guard proto.pointee.n_dims <= maximumRank else {
      throw CompileError(.malformed, "the tensor has \(proto.pointee.n_dims) axes", at: location)
    }
    let shape = numbers(proto.pointee.dims, proto.pointee.n_dims).map { Int($0) }
    guard shape.allSatisfy({ $0 >= 0 }) else {
      throw CompileError(.malformed, "the tensor has a negative extent: \(shape)", at: location)
    }
    guard shape.isPlausibleShape else {
      throw CompileError(
        .malformed, "the number of elements of shape \(shape) does not fit", at: location)
    }
    return shape
  }

  private func byteCount(
    _ type: ElementType, _ shape: [Int], at location: Location
  ) throws(CompileError) -> Int {
    guard let count = shape.checkedElementCount, let byteCount = type.byteCount(of: count) else {
      throw CompileError(
        .malformed,
        type == .string
          ? "strings cannot be stored as raw or external data"
          : "the size of a tensor of shape \(shape) does not fit", at: location)
    }
    return byteCount
  }

  private func rawTensor(
    _ proto: Message<Onnx__TensorProto>, _ type: ElementType, _ shape: [Int], at location: Location
  ) throws(CompileError) -> Tensor {
    let expected = try byteCount(type, shape, at: location)
    let raw = proto.pointee.raw_data
    guard !hasInlineData else {
      guard raw.len == expected else {
        throw sizeMismatch(raw.len, expected, type, shape, at: location)
      }
      let storage = TensorStorage(byteCount: expected) {
        $0.copyMemory(from: UnsafeRawBufferPointer(start: raw.data, count: raw.len))
      }
      return Tensor(type, shape: shape, storage: storage)
    }
    guard
      let omitted = OmittedBytes(encoded: UnsafeRawBufferPointer(start: raw.data, count: raw.len))
    else { preconditionFailure("raw data that the scanner did not leave out") }
    guard omitted.range.count == expected else {
      throw sizeMismatch(omitted.range.count, expected, type, shape, at: location)
    }
    return Tensor(type, shape: shape, storage: session.storage(of: omitted))
  }

  private func sizeMismatch(
    _ count: Int, _ expected: Int, _ type: ElementType, _ shape: [Int], at location: Location
  ) -> CompileError {
    CompileError(
      .malformed,
      "the tensor has \(count) bytes of data, but \(type.name)\(shape) takes \(expected)",
      at: location)
  }

  private func externalTensor(
    _ proto: Message<Onnx__TensorProto>, _ type: ElementType, _ shape: [Int], at location: Location
  ) throws(CompileError) -> Tensor {
    let expected = try byteCount(type, shape, at: location)
    let entries = messages(proto.pointee.external_data, proto.pointee.n_external_data)
    let reference = try ExternalDataReference(entries, expectedByteCount: expected, at: location)
    do throws(CompileError) {
      guard let folder = session.externalData else {
        throw CompileError(
          .inputOutput, "a model without a file cannot have external data", at: location)
      }
      return Tensor(type, shape: shape, storage: try folder.storage(of: reference, at: location))
    } catch {
      guard session.options.allowAbsentExternalData, error.kind == .inputOutput else { throw error }
      session.warn(ofAbsentFile: reference.location, error)
      return Tensor(absent: type, shape: shape)
    }
  }
}

/// The names of the typed data fields that hold anything.
private func filledFields(of proto: Message<Onnx__TensorProto>) -> [String] {
  TypedTensorData.Field.allCases.filter { $0.count(in: proto.pointee) > 0 }.map(\.rawValue)
}
