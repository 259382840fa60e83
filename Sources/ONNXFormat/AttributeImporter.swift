import CPrunecONNX
import PrunecGraphIR
import PrunecTensors

/// Reads `AttributeProto`s of one node, or the defaults of a function's attributes.
struct AttributeImporter {
  let session: ImportSession
  /// The node or function that diagnostics name.
  let location: Location
  /// What the node's subgraphs are built in.
  let context: SubgraphContext
  /// Whether the node is a standard Constant, whose sparse value is read as a dense one.
  var isConstant = false

  private typealias Kind = Onnx__AttributeProto__AttributeType

  /// The attribute.
  ///
  /// Throws `.malformed` where the type and the field that is filled do not belong together.
  func attribute(_ proto: Message<Onnx__AttributeProto>) throws(CompileError) -> Attribute {
    let name = text(proto.pointee.name)
    guard !name.isEmpty else {
      throw CompileError(.malformed, "an attribute has no name", at: location)
    }
    let annotations = Annotations(of: proto, docString: proto.pointee.doc_string)
    if isConstant, name == "sparse_value", let sparse = proto.pointee.sparse_tensor {
      let tensor = try dense(sparse, attribute: name)
      return Attribute("value", .tensor(tensor), annotations: annotations)
    }
    return Attribute(name, try value(of: proto, name: name), annotations: annotations)
  }

  private func value(
    of proto: Message<Onnx__AttributeProto>, name: String
  ) throws(CompileError) -> Attribute.Value {
    let attribute = proto.pointee
    let filled = filledKinds(of: attribute)
    let referenced = text(attribute.ref_attr_name)
    if !referenced.isEmpty {
      guard filled.isEmpty else { throw mismatch(name, "refers to another one and has a value") }
      return .reference(name: referenced, type: Int32(bitPattern: attribute.type.rawValue))
    }
    guard filled.count <= 1 else { throw mismatch(name, "has more than one value") }
    var kind = attribute.type
    if attribute.has_type == 0 || kind == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED {
      guard let only = filled.first else { throw mismatch(name, "has neither type nor value") }
      session.warn("attribute '\(name)' has no type", at: location)
      kind = only
    }
    guard filled.isEmpty || filled == [kind] else {
      throw mismatch(name, "has a value that is not of its type")
    }
    return try value(of: attribute, kind: kind, name: name)
  }

  private func value(
    of attribute: Onnx__AttributeProto, kind: Kind, name: String
  ) throws(CompileError) -> Attribute.Value {
    switch kind {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT: return .float(attribute.f)
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT: return .int(attribute.i)
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING: return .string(byteArray(attribute.s))
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
      return .floats(Array(numbers(attribute.floats, attribute.n_floats)))
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
      return .ints(Array(numbers(attribute.ints, attribute.n_ints)))
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
      return .strings(numbers(attribute.strings, attribute.n_strings).map(byteArray))
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
      guard let tensor = attribute.t else { throw mismatch(name, "has no tensor") }
      return .tensor(try self.tensor(tensor, attribute: name))
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS:
      var tensors: [NamedTensor] = []
      for tensor in messages(attribute.tensors, attribute.n_tensors) {
        tensors.append(try self.tensor(tensor, attribute: name))
      }
      return .tensors(tensors)
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
      guard let graph = attribute.g else { throw mismatch(name, "has no graph") }
      return .graph(try context.graph(graph, in: session, at: location))
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS:
      var graphs: [Graph] = []
      for graph in messages(attribute.graphs, attribute.n_graphs) {
        graphs.append(try context.graph(graph, in: session, at: location))
      }
      return .graphs(graphs)
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR:
      guard let tensor = attribute.sparse_tensor else { throw mismatch(name, "has no tensor") }
      return .sparseTensor(serialized(tensor))
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS:
      return .sparseTensors(
        messages(attribute.sparse_tensors, attribute.n_sparse_tensors).map { serialized($0) })
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO:
      guard let type = attribute.tp else { throw mismatch(name, "has no type") }
      return .type(try TypeImporter.type(type, at: location, in: session))
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTOS:
      var types: [ValueType] = []
      for type in messages(attribute.type_protos, attribute.n_type_protos) {
        types.append(try TypeImporter.type(type, at: location, in: session))
      }
      return .types(types)
    default:
      throw mismatch(name, "has the unknown type \(kind.rawValue)")
    }
  }

  /// The types whose field holds anything.
  private func filledKinds(of attribute: Onnx__AttributeProto) -> [Kind] {
    let fields: [(isFilled: Bool, kind: Kind)] = [
      (attribute.has_f != 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT),
      (attribute.has_i != 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT),
      (attribute.has_s != 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING),
      (attribute.t != nil, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR),
      (attribute.g != nil, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH),
      (attribute.sparse_tensor != nil, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR),
      (attribute.tp != nil, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO),
      (attribute.n_floats > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS),
      (attribute.n_ints > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS),
      (attribute.n_strings > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS),
      (attribute.n_tensors > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS),
      (attribute.n_graphs > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS),
      (attribute.n_sparse_tensors > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS),
      (attribute.n_type_protos > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTOS),
    ]
    return fields.filter(\.isFilled).map(\.kind)
  }

  private func tensor(
    _ proto: Message<Onnx__TensorProto>, attribute: String
  ) throws(CompileError) -> NamedTensor {
    let tensor = try located(attribute) { () throws(CompileError) in
      try TensorImporter(session: session).tensor(proto, name: attribute)
    }
    return NamedTensor(
      tensor, name: text(proto.pointee.name), annotations: annotations(of: proto))
  }

  private func dense(
    _ proto: Message<Onnx__SparseTensorProto>, attribute: String
  ) throws(CompileError) -> NamedTensor {
    let tensor = try located(attribute) { () throws(CompileError) in
      try SparseTensorImporter(session: session).tensor(proto, name: attribute)
    }
    return NamedTensor(tensor, name: text(proto.pointee.values?.pointee.name))
  }

  /// Reads a tensor whose errors name the node: in an attribute it is found by that rather than by its
  /// own name.
  private func located(
    _ attribute: String, _ read: () throws(CompileError) -> Tensor
  ) throws(CompileError) -> Tensor {
    do throws(CompileError) { return try read() } catch {
      var error = error
      for index in error.diagnostics.indices {
        error.diagnostics[index].location = location
        error.diagnostics[index].notes.append("in attribute '\(attribute)'")
      }
      throw error
    }
  }

  private func mismatch(_ name: String, _ problem: String) -> CompileError {
    CompileError(.malformed, "attribute '\(name)' \(problem)", at: location)
  }
}

/// What a `TensorProto` carries beyond name and elements.
func annotations(of tensor: Message<Onnx__TensorProto>) -> Annotations {
  Annotations(
    of: tensor, docString: tensor.pointee.doc_string, metadata: tensor.pointee.metadata_props,
    metadataCount: tensor.pointee.n_metadata_props)
}

/// What a `ValueInfoProto` carries beyond name and type.
func annotations(of value: Message<Onnx__ValueInfoProto>) -> Annotations {
  Annotations(
    of: value, docString: value.pointee.doc_string, metadata: value.pointee.metadata_props,
    metadataCount: value.pointee.n_metadata_props)
}
