import CPrunecLibZip
import Foundation
import PrunecGraphIR
import PrunecTensors

/// Reading and writing zip archives by libzip.
enum ZipArchive {
  /// An entry, or the bytes that it begins with.
  struct Entry {
    let name: String
    let data: Data
    /// The size of the whole entry.
    let byteCount: Int
  }

  /// The entries of an archive that are asked for by name, of each as many bytes as `prefix` says and all by default, and
  /// the names of all, in their order.
  static func read(
    _ path: String, prefix: Int = .max, _ isWanted: (String) -> Bool
  ) throws(CompileError) -> (entries: [Entry], names: [String]) {
    var code: Int32 = 0
    guard let archive = zip_open(path, ZIP_RDONLY, &code) else {
      var error = zip_error_t()
      zip_error_init_with_code(&error, code)
      defer { zip_error_fini(&error) }
      let isFileError = [ZIP_ER_OPEN, ZIP_ER_NOENT, ZIP_ER_READ].contains(code)
      throw CompileError(
        isFileError ? .inputOutput : .malformed,
        "cannot be read as an archive: \(String(cString: zip_error_strerror(&error)))")
    }
    defer { zip_discard(archive) }
    var entries: [Entry] = []
    var names: [String] = []
    for index in 0..<UInt64(max(0, zip_get_num_entries(archive, 0))) {
      var status = zip_stat_t()
      zip_stat_init(&status)
      guard zip_stat_index(archive, index, 0, &status) == 0, let bytes = status.name else {
        throw CompileError(
          .malformed, "entry \(index) cannot be read: \(String(cString: zip_strerror(archive)))")
      }
      let name = String(cString: bytes)
      names.append(name)
      guard isWanted(name) else { continue }
      guard let file = zip_fopen_index(archive, index, 0) else {
        throw CompileError(
          .malformed, "entry '\(name)' cannot be read: \(String(cString: zip_strerror(archive)))")
      }
      defer { zip_fclose(file) }
      if status.valid & UInt64(ZIP_STAT_SIZE) != 0 {
        let size = min(prefix, Int(clamping: status.size))
        try CompileError.about("entry '\(name)'") { () throws(CompileError) in
          try MemoryLimit.ask(size, for: "its elements")
        }
      }
      let data = try contents(of: file, name: name, prefix: prefix)
      let size = status.valid & UInt64(ZIP_STAT_SIZE) == 0 ? UInt64(data.count) : status.size
      entries.append(Entry(name: name, data: data, byteCount: Int(clamping: size)))
    }
    return (entries, names)
  }

  private static func contents(
    of file: OpaquePointer, name: String, prefix: Int
  ) throws(CompileError) -> Data {
    var data = Data()
    var buffer = [UInt8](repeating: 0, count: min(prefix, 1 << 20))
    while true {
      let count = zip_fread(file, &buffer, UInt64(min(buffer.count, prefix - data.count)))
      guard count >= 0 else { throw CompileError(.malformed, "entry '\(name)' cannot be read") }
      if count == 0 { return data }
      // Few bytes of an archive can stand for any number, whatever it says of its size.
      let grown = data.count + Int(count)
      if grown >> 26 > data.count >> 26 {
        try MemoryLimit.ask(grown, for: "entry '\(name)'")
      }
      data.append(contentsOf: buffer[..<Int(count)])
    }
  }

  /// The bytes of an archive of `entries`, which are stored as they are: numbers are hardly smaller when they are compressed, which
  /// takes minutes for large ones.
  ///
  /// Throws an unsupported error where memory does not suffice, and an input/output error where libzip fails.
  static func bytes(_ entries: [(name: String, data: Data)]) throws(CompileError) -> Data {
    func failure(_ what: String) -> CompileError {
      CompileError(.inputOutput, "the archive cannot be made: \(what)")
    }
    // The entries that libzip reads, the archive that it writes, and the result.
    try MemoryLimit.ask(3 * entries.reduce(0) { $0 + $1.data.count }, for: "an archive")
    var error = zip_error_t()
    guard let target = zip_source_buffer_create(nil, 0, 0, &error),
      let archive = zip_open_from_source(target, ZIP_TRUNCATE, &error)
    else { throw failure(String(cString: zip_error_strerror(&error))) }
    // Closing the archive would free it.
    zip_source_keep(target)
    defer { zip_source_free(target) }
    var owned: [UnsafeMutableRawBufferPointer] = []
    defer { for buffer in owned { buffer.deallocate() } }
    for entry in entries {
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: entry.data.count, alignment: 1)
      entry.data.copyBytes(to: buffer)
      owned.append(buffer)
      guard let source = zip_source_buffer(archive, buffer.baseAddress, UInt64(buffer.count), 0),
        zip_file_add(archive, entry.name, source, ZIP_FL_ENC_UTF_8) >= 0
      else {
        defer { zip_discard(archive) }
        throw failure(String(cString: zip_strerror(archive)))
      }
      // The same bytes whenever they are written.
      let index = UInt64(zip_get_num_entries(archive, 0) - 1)
      zip_file_set_dostime(archive, index, 0, 0x21, 0)
      zip_set_file_compression(archive, index, ZIP_CM_STORE, 0)
    }
    guard zip_close(archive) == 0 else {
      defer { zip_discard(archive) }
      throw failure(String(cString: zip_strerror(archive)))
    }
    var status = zip_stat_t()
    guard zip_source_stat(target, &status) == 0, zip_source_open(target) == 0 else {
      throw failure("its bytes cannot be read")
    }
    defer { zip_source_close(target) }
    var data = Data(count: Int(status.size))
    let count = data.withUnsafeMutableBytes { zip_source_read(target, $0.baseAddress, status.size) }
    guard count == Int64(status.size) else { throw failure("its bytes cannot be read") }
    return data
  }
}
