import Glibc
import PrunecFiles
import PrunecTensors

/// Which tensors go into a model's external data file, and where in it.
final class ExternalDataPlan {
  struct Entry {
    let tensor: Tensor
    let offset: Int
  }

  /// Smaller tensors stay in the model, where they can be looked at.
  private static let minimumByteCount = 1024
  /// From this size on tensors begin at a page, so that each can be mapped by itself.
  private static let pageAlignedByteCount = 1 << 16

  /// The name of the file, relative to the model. Its contents, and with them its name, are known only when the messages have been made:
  /// all of them share this text.
  let location: UnsafeMutablePointer<CChar>
  /// Name of the model's file.
  private let modelName: String
  private(set) var entries: [Entry] = []
  private var end = 0

  /// A plan for the model in a file called `modelName`.
  init(modelName: String, arena: MessageArena) {
    self.modelName = modelName
    location = arena.requiredText(
      ExternalDataName.text(modelName: modelName, content: StreamFingerprint().text))
  }

  /// Names the file after its content, and gives the name.
  func name(after content: StreamFingerprint) -> String {
    let name = ExternalDataName.text(modelName: modelName, content: content.text)
    strcpy(location, name)
    return name
  }

  /// The offset that the elements of `tensor` get in the file; `nil` where they are to stay in the model.
  func offset(for tensor: Tensor) -> Int? {
    let byteCount = tensor.byteCount
    guard byteCount >= Self.minimumByteCount else { return nil }
    let alignment = byteCount >= Self.pageAlignedByteCount ? 4096 : 64
    let offset = (end + alignment - 1) / alignment * alignment
    entries.append(Entry(tensor: tensor, offset: offset))
    end = offset + byteCount
    return offset
  }
}
