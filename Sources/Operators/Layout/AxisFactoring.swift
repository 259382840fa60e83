import PrunecGraphIR

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
/// `[N | 768]`; within a block both sides are products of common factors, if those nest. Where the
/// outer extents of a block are not numbers, as in `[N, 768]` and `[12 N, 64]`, the inner ones still
/// have their factors in common: 768 is 12 times 64, of which the 12 is part of an axis that is not
/// known.
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
    let rest = Block(operandAxes: operandRest, resultAxes: resultRest)
    if isNested(rest) {
      relate(rest, &relations)
    } else {
      pin(rest, because: "the reshape has no factors in common with its operand here", &relations)
    }
  }

  /// Whether the axes outside all blocks are one more block: where nothing is empty, what remains of
  /// equal products is equal.
  private func isNested(_ rest: Block) -> Bool {
    let dimensions = rest.operandAxes.map { operand[$0] } + rest.resultAxes.map { result[$0] }
    return dimensions.contains { $0.fixedExtent == nil }
      && !dimensions.contains { $0.fixedExtent == 0 }
  }

  private func pin(_ block: Block, because reason: String, _ relations: inout Relations) {
    for axis in block.operandAxes { relations.pin(.operand(0, axis: axis), because: reason) }
    for axis in block.resultAxes { relations.pin(.result(axis: axis), because: reason) }
  }

  /// The innermost axes of one side of a block whose extents are numbers, with their strides.
  private struct Side {
    let axes: [(axis: Int, extent: Int, stride: Int)]
    /// How many elements they have together.
    let count: Int

    init(_ axes: [Int], _ dimensions: [Dimension]) {
      var found: [(axis: Int, extent: Int, stride: Int)] = []
      var stride = 1
      for axis in axes.reversed() {
        guard let extent = dimensions[axis].fixedExtent else { break }
        let (count, overflow) = stride.multipliedReportingOverflow(by: extent)
        guard !overflow else { break }
        found.append((axis, extent, stride))
        stride = count
      }
      self.axes = found.reversed()
      count = stride
    }
  }

  private func relate(_ block: Block, _ relations: inout Relations) {
    if block.operandAxes.count == 1, block.resultAxes.count == 1 {
      relations.equal(
        .operand(0, axis: block.operandAxes[0]), .result(axis: block.resultAxes[0]))
      return
    }
    let sides = (Side(block.operandAxes, operand), Side(block.resultAxes, result))
    // The strides at which axes begin and end, on either side, are where common factors do.
    let ends = Set(
      (sides.0.axes + sides.1.axes).map(\.stride) + [1, sides.0.count, sides.1.count]
    ).sorted(by: >)
    guard zip(ends, ends.dropFirst()).allSatisfy({ $0 % $1 == 0 }) else {
      pin(block, because: "the reshape takes axes apart in a way that does not nest", &relations)
      return
    }
    // A factor that is the whole of an axis is that axis; the others are axes that no tensor has.
    let shared = min(sides.0.count, sides.1.count)
    var factors: [(axis: AxisReference, stride: Int)] = []
    for (end, stride) in zip(ends, ends.dropFirst()) {
      func isWhole(_ part: (axis: Int, extent: Int, stride: Int)) -> Bool {
        part.stride == stride && part.extent == end / stride
      }
      let factor: AxisReference
      if let own = sides.0.axes.first(where: isWhole) {
        factor = .operand(0, axis: own.axis)
      } else if let other = sides.1.axes.first(where: isWhole) {
        factor = .result(axis: other.axis)
      } else {
        factor = relations.virtualAxis(extent: end / stride)
      }
      if stride >= shared {
        relations.pin(factor, because: "the reshape makes it part of an axis that is not known")
      }
      factors.append((factor, stride))
    }
    func split(_ whole: AxisReference, extent: Int, stride: Int) {
      let parts = factors.filter { $0.stride >= stride && $0.stride < stride * extent }
      if parts.count > 1 {
        relations.split(whole, into: parts.map(\.axis))
      } else if let part = parts.first, part.axis != whole {
        relations.equal(part.axis, whole)
      }
    }
    for part in sides.0.axes {
      split(.operand(0, axis: part.axis), extent: part.extent, stride: part.stride)
    }
    for part in sides.1.axes {
      split(.result(axis: part.axis), extent: part.extent, stride: part.stride)
    }
  }
}
