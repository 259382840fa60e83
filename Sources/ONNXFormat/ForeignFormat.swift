/// A kind of file that people take for a model. No serialized `ModelProto` begins like one.
enum ForeignFormat: String, CaseIterable {
  /// Stands in a repository for a file that has not been fetched.
  case gitPointer = "a Git LFS pointer (git lfs pull fetches the file)"
  case markup = "a page of HTML or XML"
  case zipArchive = "a zip archive (PyTorch and Keras save such)"
  case hierarchicalData = "an HDF5 file (Keras saves such)"
  case flatbuffer = "a TensorFlow Lite model"

  /// The format that `bytes` begin like, if any.
  init?(beginning bytes: UnsafeRawBufferPointer) {
    func begins(_ text: String, at offset: Int = 0) -> Bool {
      bytes.dropFirst(offset).starts(with: text.utf8)
    }
    let found = Self.allCases.first { format in
      switch format {
      case .gitPointer: begins("version https://git-lfs")
      case .markup: begins("<!") || begins("<?") || begins("<h") || begins("<H")
      case .zipArchive: begins("PK\u{3}\u{4}")
      case .hierarchicalData: bytes.starts(with: [0x89] + Array("HDF\r\n".utf8))
      case .flatbuffer: begins("TFL3", at: 4)
      }
    }
    guard let found else { return nil }
    self = found
  }
}
