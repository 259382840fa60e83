import CPrunecONNX
import Glibc
import PrunecFiles
import PrunecGraphIR
import PrunecTensors

/// Where a tensor's external data is said to be.
struct ExternalDataReference {
  /// Components of the path below the model's folder; none is empty, `.` or `..`.
  let components: [String]
  /// The path as it is written.
  let location: String
  let range: Range<Int>

  /// Reads the entries of `external_data`: `location`, `offset` and `length`; others, such as
  /// `checksum`, say nothing about the elements.
  ///
  /// Throws `.malformed` for paths that could lead elsewhere and numbers that do not fit the tensor.
  init(
    _ entries: [Message<Onnx__StringStringEntryProto>], expectedByteCount: Int, at place: Location
  ) throws(CompileError) {
    var values: [String: String] = [:]
    for entry in entries {
      let key = text(entry.pointee.key)
      guard values.updateValue(text(entry.pointee.value), forKey: key) == nil else {
        throw CompileError(.malformed, "external data gives '\(key)' twice", at: place)
      }
    }
    location = values["location"] ?? ""
    let parts = location.split(separator: "/").map(String.init).filter { $0 != "." }
    guard !parts.isEmpty, !location.hasPrefix("/"), !parts.contains("..") else {
      throw CompileError(
        .malformed, "external data at '\(location)', which is not below the model's folder",
        at: place)
    }
    components = parts

    let offset = try Self.number(values["offset"], "offset", at: place) ?? 0
    let length = try Self.number(values["length"], "length", at: place) ?? expectedByteCount
    guard length == expectedByteCount else {
      throw CompileError(
        .malformed, "external data has \(length) bytes, the tensor takes \(expectedByteCount)",
        at: place)
    }
    let (end, overflow) = offset.addingReportingOverflow(length)
    guard !overflow else {
      throw CompileError(.malformed, "external data ends beyond any file", at: place)
    }
    range = offset..<end
  }

  private static func number(
    _ text: String?, _ key: String, at place: Location
  ) throws(CompileError) -> Int? {
    guard let text else { return nil }
    guard let number = Int(text), number >= 0 else {
      throw CompileError(.malformed, "external data has the \(key) '\(text)'", at: place)
    }
    return number
  }
}

/// The external data files below a model's folder, each mapped when it is first needed.
final class ExternalDataFolder {
  private let path: String
  private var files: [[String]: MappedFile] = [:]
  private(set) var identities: [FileIdentity] = []

  init(path: String) { self.path = path }

  /// A storage that borrows the bytes that `reference` speaks of.
  ///
  /// Throws `.inputOutput` where the file cannot be read or is not plainly below the folder, and
  /// `.malformed` where it is too short.
  func storage(
    of reference: ExternalDataReference, at place: Location
  ) throws(CompileError) -> TensorStorage {
    let file = try file(reference, at: place)
    guard reference.range.upperBound <= file.bytes.count else {
      throw CompileError(
        .malformed,
        "external data ends at byte \(reference.range.upperBound) of '\(reference.location)', "
          + "which has \(file.bytes.count)", at: place)
    }
    return TensorStorage(
      borrowing: UnsafeRawBufferPointer(rebasing: file.bytes[reference.range]), from: file)
  }

  private func file(
    _ reference: ExternalDataReference, at place: Location
  ) throws(CompileError) -> MappedFile {
    if let known = files[reference.components] { return known }
    let descriptor = try open(reference, at: place)
    defer { close(descriptor) }
    do throws(CompileError) {
      let file = try MappedFile(
        descriptor: descriptor, path: ([path] + reference.components).joined(separator: "/"),
        name: reference.location, refusesHardLinks: true)
      files[reference.components] = file
      identities.append(file.identity)
      return file
    } catch {
      throw located(error, at: place)
    }
  }

  /// Opens the file component by component, so that no symbolic link is followed on the way.
  private func open(
    _ reference: ExternalDataReference, at place: Location
  ) throws(CompileError) -> Int32 {
    var current = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    for (index, component) in reference.components.enumerated() where current >= 0 {
      let isLast = index == reference.components.count - 1
      let flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (isLast ? O_NONBLOCK : O_DIRECTORY)
      let next = openat(current, component, flags)
      let failure = errno
      close(current)
      errno = failure
      current = next
    }
    guard current >= 0 else {
      // With O_DIRECTORY a symbolic link is reported as something that is no directory.
      let isLink = errno == ELOOP || errno == ENOTDIR
      throw CompileError(
        .inputOutput,
        "cannot open external data '\(reference.location)': \(lastSystemError())", at: place,
        notes: isLink ? ["symbolic links below the model's folder are not followed"] : [])
    }
    return current
  }

  private func located(_ error: CompileError, at place: Location) -> CompileError {
    var error = error
    for index in error.diagnostics.indices { error.diagnostics[index].location = place }
    return error
  }
}
