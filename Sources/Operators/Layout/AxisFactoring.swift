/// A product of extents, some of them not numbers.
struct ExtentProduct {
  /// The product of those that are numbers; `nil` once it no longer fits.
  private(set) var number: Int? = 1
  /// How often each symbol occurs.
  private(set) var symbols: [String: Int] = [:]
  private(set) var unknownCount = 0

  /// Whether all factors are numbers.
  var isNumber: Bool { symbols.isEmpty && unknownCount == 0 }

  /// The symbol, if the product has one once and nothing else that is not a number.
  var onlySymbol: String? {
    guard unknownCount == 0, symbols.count == 1, let (symbol, count) = symbols.first, count == 1
    else { return nil }
    return symbol
  }

  mutating func multiply(by extent: Dimension.Extent) {
    switch extent {
    case .fixed(let factor):
      let product = number?.multipliedReportingOverflow(by: factor)
      number = product.flatMap { $0.overflow ? nil : $0.partialValue }
    case .symbol(let symbol): symbols[symbol, default: 0] += 1
    case .unknown: unknownCount += 1
    }
  }

  /// Takes the symbols that both products have out of both.
  mutating func cancelSymbols(with other: inout ExtentProduct) {
    for symbol in symbols.keys.sorted() {
      let common = min(symbols[symbol]!, other.symbols[symbol] ?? 0)
      guard common > 0 else { continue }
      symbols[symbol] = symbols[symbol] == common ? nil : symbols[symbol]! - common
      other.symbols[symbol] =
        other.symbols[symbol] == common ? nil : other.symbols[symbol]! - common
    }
  }
}

/// How a row-major reshape takes axes apart and puts them together.
///
/// Both shapes are cut into the smallest blocks of equal product, such as `[N | 12, 64]` and
/// `[N | 768]`; within a block both sides are products of common factors, if those nest.
struct AxisFactoring {
  /// What an axis contributes to a product: equal factors are equal extents.
  private enum Factor: Hashable {
    case number(Int)
    case symbol(String)
    /// An unknown extent, by its axis.
    case unknownOperand(Int)
    case unknownResult(Int)
  }

  /// A product of factors, or `nil` where it is out of range.
  private struct Product: Hashable {
    var number = 1
    var others: [Factor: Int] = [:]

    func multiplied(by factor: Factor) -> Product? {
      var product = self
      guard case .number(let extent) = factor else {
        product.others[factor, default: 0] += 1
        return product
      }
      let (number, overflow) = number.multipliedReportingOverflow(by: extent)
      product.number = number
      return overflow ? nil : product
    }
  }

  /// Axes of operand 0 and of the result that become each other.
  struct Block {
    var operandAxes: [Int]
    var resultAxes: [Int]
  }

  let operand: [Dimension]
  let result: [Dimension]
  private(set) var blocks: [Block] = []
  private(set) var operandRest: [Int] = []
  private(set) var resultRest: [Int] = []

  /// Factors `operand` and `result`. The extents of `copied` axes are the same on both sides even
  /// where they are not known.
  init(operand: [Dimension], result: [Dimension], copied: Set<Int> = []) {
    self.operand = operand
    self.result = result
    // Axes of extent one belong to no block. An extent of zero makes any two products equal.
    var inner = operand.indices.filter { operand[$0].fixedExtent != 1 }[...]
    var outer = result.indices.filter { result[$0].fixedExtent != 1 }[...]
    let extents = (operand + result).compactMap(\.fixedExtent)
    if !extents.contains(0), operand.count <= 64, result.count <= 64 {
      let operandFactors = operand.indices.map { axis in
        Self.factor(operand[axis], unknown: .unknownOperand(axis))
      }
      let resultFactors = result.indices.map { axis in
        Self.factor(
          result[axis],
          unknown: copied.contains(axis) ? .unknownOperand(axis) : .unknownResult(axis)
        )
      }
      // From the front as far as it goes, then from the back.
      while let (i, j) = Self.match(
        inner.map { operandFactors[$0] }, outer.map { resultFactors[$0] })
      {
        blocks.append(
          Block(operandAxes: Array(inner.prefix(i)), resultAxes: Array(outer.prefix(j))))
        inner = inner.dropFirst(i)
        outer = outer.dropFirst(j)
      }
      while let (i, j) = Self.match(
        inner.reversed().map { operandFactors[$0] }, outer.reversed().map { resultFactors[$0] })
      {
        blocks.append(
          Block(operandAxes: Array(inner.suffix(i)), resultAxes: Array(outer.suffix(j))))
        inner = inner.dropLast(i)
        outer = outer.dropLast(j)
      }
    }
    operandRest = Array(inner)
    resultRest = Array(outer)
  }

  private static func factor(_ dimension: Dimension, unknown: Factor) -> Factor {
    switch dimension.extent {
    case .fixed(let extent): .number(extent)
    case .symbol(let symbol): .symbol(symbol)
    case .unknown: unknown
    }
  }

  /// The least numbers of leading factors on both sides that have equal products.
  private static func match(_ a: [Factor], _ b: [Factor]) -> (Int, Int)? {
    var lengths: [Product: Int] = [:]
    var product: Product? = Product()
    for (index, factor) in a.enumerated() {
      product = product?.multiplied(by: factor)
      if let product { lengths[product] = index + 1 }
    }
    product = Product()
    for (index, factor) in b.enumerated() {
      product = product?.multiplied(by: factor)
      if let product, let length = lengths[product] { return (length, index + 1) }
    }
    return nil
  }

  /// States how the axes of operand 0 and result 0 belong together.
  func relate(_ relations: inout Relations) {
    for block in blocks { relate(block, &relations) }
    let reason = "the reshape has no factors in common with its operand here"
    for axis in operandRest { relations.pin(.operand(0, axis: axis), because: reason) }
    for axis in resultRest { relations.pin(.result(axis: axis), because: reason) }
  }

  private func relate(_ block: Block, _ relations: inout Relations) {
    if block.operandAxes.count == 1, block.resultAxes.count == 1 {
      relations.equal(
        .operand(0, axis: block.operandAxes[0]), .result(axis: block.resultAxes[0]))
      return
    }
    let operandExtents = block.operandAxes.compactMap { operand[$0].fixedExtent }
    let resultExtents = block.resultAxes.compactMap { result[$0].fixedExtent }
    guard operandExtents.count == block.operandAxes.count,
      resultExtents.count == block.resultAxes.count
    else { return }
    // The strides at which axes end, on either side, are where the common factors begin and end.
    let operandStrides = operandExtents.rowMajorStrides
    let resultStrides = resultExtents.rowMajorStrides
    let strides = Set(operandStrides + resultStrides).sorted(by: >)
    var ends = [operandExtents[0] * operandStrides[0]] + strides
    guard zip(ends, strides).allSatisfy({ $0 % $1 == 0 }) else {
      let reason = "the reshape takes axes apart in a way that does not nest"
      for axis in block.operandAxes { relations.pin(.operand(0, axis: axis), because: reason) }
      for axis in block.resultAxes { relations.pin(.result(axis: axis), because: reason) }
      return
    }
    ends.removeLast()
    // A factor that is the whole of an axis is that axis; the others are axes that no tensor has.
    var factors: [AxisReference] = []
    for (end, stride) in zip(ends, strides) {
      let own = operandStrides.indices.first {
        operandStrides[$0] == stride && operandExtents[$0] == end / stride
      }
      let other = resultStrides.indices.first {
        resultStrides[$0] == stride && resultExtents[$0] == end / stride
      }
      if let own {
        factors.append(.operand(0, axis: block.operandAxes[own]))
      } else if let other {
        factors.append(.result(axis: block.resultAxes[other]))
      } else {
        factors.append(relations.virtualAxis(extent: end / stride))
      }
    }
    func split(_ whole: AxisReference, extent: Int, stride: Int) {
      let parts = strides.indices.filter { strides[$0] >= stride && strides[$0] < stride * extent }
      if parts.count > 1 { relations.split(whole, into: parts.map { factors[$0] }) }
    }
    for (index, axis) in block.operandAxes.enumerated() {
      split(
        .operand(0, axis: axis), extent: operandExtents[index], stride: operandStrides[index])
    }
    for (index, axis) in block.resultAxes.enumerated() {
      split(.result(axis: axis), extent: resultExtents[index], stride: resultStrides[index])
    }
  }
}
