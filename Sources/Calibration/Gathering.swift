extension UnsafeBufferPointer<Float> {
  /// The elements at every sum of a base and an offset, `[bases, offsets]`.
  func gathered(_ bases: [Int], _ offsets: [Int]) -> [Float] {
    let length = offsets.count
    let isRun = offsets.indices.allSatisfy { offsets[$0] == offsets[0] + $0 }
    return [Float](unsafeUninitializedCapacity: bases.count * length) { target, count in
      nonisolated(unsafe) let (target, elements) = (target, self)
      concurrentParts(of: bases.count, grain: 1 + 100_000 / Swift.max(1, length)) { part in
        var place = part.lowerBound * length
        for base in bases[part] where length > 0 {
          if isRun {
            (target.baseAddress! + place).initialize(
              from: elements.baseAddress! + base + offsets[0], count: length)
            place += length
            continue
          }
          for offset in offsets {
            target.initializeElement(at: place, to: elements[base + offset])
            place += 1
          }
        }
      }
      count = bases.count * length
    }
  }
}
