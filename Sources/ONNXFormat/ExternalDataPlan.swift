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

  /// The name of the file, relative to the model.
  let location: String
  private(set) var entries: [Entry] = []
  private var end = 0

  init(location: String) { self.location = location }

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
