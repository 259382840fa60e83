/// What a part of a model carries without any effect on what it computes.
public struct Annotations: Hashable, Sendable {
  public struct Entry: Hashable, Sendable {
    public var key: String
    public var value: String
    /// As those of the annotations themselves.
    public var unknownFields: [UInt8]

    public init(key: String, value: String, unknownFields: [UInt8] = []) {
      self.key = key
      self.value = value
      self.unknownFields = unknownFields
    }
  }

  public var docString: String
  public var metadata: [Entry]
  /// Protobuf fields that the schema does not know, in wire format (tag and payload).
  public var unknownFields: [UInt8]

  public init(docString: String = "", metadata: [Entry] = [], unknownFields: [UInt8] = []) {
    self.docString = docString
    self.metadata = metadata
    self.unknownFields = unknownFields
  }

  public static let none = Annotations()
}
