import PrunecGraphIR
import Synchronization

/// A folder of `.npz` and `.npy` files, each of which holds a part of the samples, in the order of their names. Of the
/// archives one at a time is held in memory.
///
/// Where the folder has one `.npy` file for each input, called after it, these are one set together.
final class ArrayFolder: DataSet {
  let name: String
  let count: Int
  let hasLabels: Bool
  let warnings: [Diagnostic]
  private let parts: [(file: String?, set: ArrayPart)]
  /// The number of the first sample of each part.
  private let starts: [Int]
  private let lastPart = Mutex(0)

  init(_ folder: Folder, for inputs: [ModelInput]) throws(CompileError) {
    name = folder.path
    var parts: [(file: String?, set: ArrayPart)] = []
    if let arrays = Self.arrays(in: folder, for: inputs) {
      parts = [(nil, try ArrayPart(folder, arrays: arrays, for: inputs))]
    } else {
      for file in folder.files where ArrayPart.isArrayFile(file) {
        let part = try CompileError.about("'\(file)':") { () throws(CompileError) in
          try ArrayPart(folder.path(of: file), for: inputs)
        }
        parts.append((file, part))
      }
    }
    hasLabels = parts.contains { $0.set.hasLabels }
    if hasLabels, let part = parts.first(where: { !$0.set.hasLabels }), let file = part.file {
      throw CompileError(.malformed, "'\(file)' has no labels, and other files have")
    }
    warnings = parts.flatMap { part in
      part.set.warnings.map { warning in
        var named = warning
        if let file = part.file { named.message = "'\(file)': " + warning.message }
        return named
      }
    }
    var (starts, count) = ([Int](), 0)
    for part in parts {
      starts.append(count)
      count += part.set.count
    }
    (self.parts, self.starts, self.count) = (parts, starts, count)
  }

  /// The names of arrays where every file is one array of the same samples.
  private static func arrays(in folder: Folder, for inputs: [ModelInput]) -> [String]? {
    let files = folder.files.filter(ArrayPart.isArrayFile)
    guard files.allSatisfy({ $0.hasSuffix(".npy") }) else { return nil }
    let arrays = files.map { String($0.dropLast(4)) }
    let names = inputs.map(\.name)
    let isOne = inputs.count(where: { !$0.isLabels }) == 1 && arrays == ["x", "y"]
    let isEach =
      arrays.count > 1 && names.allSatisfy(arrays.contains)
      && arrays.allSatisfy { names.contains($0) || $0 == "y" }
    return isOne || isEach ? arrays : nil
  }

  func state(at index: Int) throws(CompileError) -> SampleState {
    try inPart(of: index) { (set, row) throws(CompileError) in try set.state(at: row) }
  }

  func sample(at index: Int) throws(CompileError) -> Sample {
    try inPart(of: index) { (set, row) throws(CompileError) in try set.sample(at: row) }
  }

  private func inPart<R>(
    of index: Int, _ body: (ArrayPart, Int) throws(CompileError) -> R
  ) throws(CompileError) -> R {
    let number = starts.lastIndex { $0 <= index } ?? 0
    let previous = lastPart.withLock { last in
      defer { last = number }
      return last
    }
    if previous != number { parts[previous].set.unload() }
    let part = parts[number]
    guard let file = part.file else { return try body(part.set, index) }
    return try CompileError.about("'\(file)':") { () throws(CompileError) in
      try body(part.set, index - starts[number])
    }
  }
}
