import PrunecTensors

/// Whether `name` is a letter or underscore followed by letters, digits and underscores.
func isIdentifier(_ name: String) -> Bool {
  guard let first = name.utf8.first, isLetter(first) else { return false }
  return name.utf8.allSatisfy { isLetter($0) || isDigit($0) }
}

/// Whether `byte` may begin an identifier.
func isLetter(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "_"):
    true
  default: false
  }
}

/// Whether `byte` is a decimal digit.
func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

/// Whether an identifier begins a type rather than a name, wherever a type may stand.
func isTypeKeyword(_ name: String) -> Bool {
  switch name {
  case "seq", "map", "optional", "sparse_tensor", "opaque", "undefined": true
  default: ElementType(name: name) != nil
  }
}

/// Whether an identifier is a floating point number.
func isNumberKeyword(_ name: String) -> Bool {
  switch name.lowercased() {
  case "inf", "infinity", "nan": true
  default: false
  }
}

/// The name as it is printed where quotes are allowed: quoted unless it is an identifier that no
/// keyword can be confused with.
func quotable(_ name: String) -> String {
  isIdentifier(name) && !isTypeKeyword(name) && !isNumberKeyword(name)
    ? name : quoted(Array(name.utf8))
}

/// The name as it is printed where ONNX allows identifiers only, keywords included.
func bare(_ name: String) -> String { isIdentifier(name) ? name : quoted(Array(name.utf8)) }

/// A string literal of these bytes.
func quoted(_ bytes: [UInt8]) -> String {
  guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
    return hexadecimal(bytes)
  }
  var literal = "\""
  for scalar in text.unicodeScalars {
    if scalar == "\"" || scalar == "\\" { literal.unicodeScalars.append("\\") }
    literal.unicodeScalars.append(scalar)
  }
  return literal + "\""
}

/// A `hex"..."` literal of these bytes.
func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".unicodeScalars)
  var literal = "hex\""
  for byte in bytes {
    literal.unicodeScalars.append(digits[Int(byte >> 4)])
    literal.unicodeScalars.append(digits[Int(byte & 15)])
  }
  return literal + "\""
}

/// The types of attributes, with the raw values of ONNX's `AttributeProto.AttributeType`.
enum AttributeType: Int32, CaseIterable {
  case undefined = 0
  case float = 1
  case int = 2
  case string = 3
  case tensor = 4
  case graph = 5
  case floats = 6
  case ints = 7
  case strings = 8
  case tensors = 9
  case graphs = 10
  case sparseTensor = 11
  case sparseTensors = 12
  case type = 13
  case types = 14

  /// The name in an attribute's annotation.
  var name: String {
    switch self {
    case .undefined: "undefined"
    case .float: "float"
    case .int: "int"
    case .string: "string"
    case .tensor: "tensor"
    case .graph: "graph"
    case .floats: "floats"
    case .ints: "ints"
    case .strings: "strings"
    case .tensors: "tensors"
    case .graphs: "graphs"
    case .sparseTensor: "sparse_tensor"
    case .sparseTensors: "sparse_tensors"
    case .type: "type_proto"
    case .types: "type_protos"
    }
  }

  init?(name: String) {
    let match = Self.allCases.first { $0 != .undefined && $0.name == name }
    guard let match else { return nil }
    self = match
  }

  /// For a list type, the type of its elements.
  var element: AttributeType? {
    switch self {
    case .floats: .float
    case .ints: .int
    case .strings: .string
    case .tensors: .tensor
    case .graphs: .graph
    case .sparseTensors: .sparseTensor
    case .types: .type
    default: nil
    }
  }
}
