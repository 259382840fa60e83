import PrunecGraphIR

/// Sorts the classes of the union-find into groups of channels that lie on the same axes.
struct ChannelGrouping {
  private(set) var groups: [ChannelGroup] = []
  private(set) var groupOfElement: [Int32]
  private(set) var channelOfElement: [Int32]

  init(_ builder: inout CouplingBuilder) {
    let table = builder.table
    groupOfElement = [Int32](repeating: -1, count: table.elementCount)
    channelOfElement = [Int32](repeating: -1, count: table.elementCount)
    let classes = ElementClasses(&builder)

    // Classes with the same list of strands, and as many elements on each, are alike.
    var groupOfSignature: [[Int32]: Int] = [:]
    var channels: [[Int]] = []
    for number in 0..<classes.count {
      var signature = classes.strands(of: number)
      signature.append(classes.pins[number])
      let group = groupOfSignature[signature] ?? channels.count
      if group == channels.count {
        groupOfSignature[signature] = group
        channels.append([])
      }
      channels[group].append(number)
    }

    let makers = Self.makers(builder)
    let described = channels.map { Self.describe($0, classes, builder, makers) }
    let order =
      described.indices.filter { described[$0]?.pin == nil && described[$0] != nil }
      + described.indices.filter { described[$0]?.pin != nil }
    for index in order {
      for (channel, number) in channels[index].enumerated() {
        for element in classes.elements(of: number) {
          groupOfElement[element] = Int32(groups.count)
          channelOfElement[element] = Int32(channel)
        }
      }
      groups.append(described[index]!)
    }
  }

  /// The group of the given classes; `nil` where it has no channels worth speaking of: pinned axes
  /// that no layer's weights lie on.
  private static func describe(
    _ numbers: [Int], _ classes: ElementClasses, _ builder: CouplingBuilder,
    _ makers: [Axis: String]
  ) -> ChannelGroup? {
    let table = builder.table
    var members: [ChannelGroup.Member] = []
    var index: [Int: Int] = [:]
    var indices: [[Int32]] = []
    for number in numbers {
      for element in classes.elements(of: number) {
        let strand = classes.strand(ofElement: element)
        let position = index[strand] ?? indices.count
        if position == indices.count {
          index[strand] = position
          indices.append([])
        }
        indices[position].append(Int32(element - table.strands[strand].elements.lowerBound))
      }
    }
    for slot in index.keys.flatMap({ table.strands[$0].slots }).sorted() {
      let list = indices[index[table.slots[slot].strand]!]
      members.append(
        ChannelGroup.Member(
          axis: table.slots[slot].axis, multiplicity: list.count / numbers.count, indices: list))
    }
    let pin = builder.reasons[Int(classes.pins[numbers[0]])]
    let graph = builder.graph
    let maker = members.lazy.compactMap { makers[$0.axis] }.first
    if pin != nil, maker == nil { return nil }
    return ChannelGroup(
      count: numbers.count, members: members, pin: pin,
      name: maker ?? graph[members[0].axis.value].name)
  }

  /// The axes on which layers put the channels they make, with the names of the layers.
  private static func makers(_ builder: CouplingBuilder) -> [Axis: String] {
    var makers: [Axis: String] = [:]
    for layer in builder.layers {
      guard case .node(let name, _) = builder.graph.location(of: layer.node) else { continue }
      makers[Axis(layer.result, layer.resultAxis)] = name
    }
    return makers
  }
}

/// The classes of the union-find, numbered in order of their first element.
struct ElementClasses {
  private(set) var count = 0
  /// For each class, the reason for which it is pinned; 0 for none.
  private(set) var pins: [Int32] = []
  private var elementsByClass: [Int32]
  private var firstOfClass: [Int]
  private let strandNumbers: [Int32]

  init(_ builder: inout CouplingBuilder) {
    let total = builder.table.elementCount
    var classOfRoot = [Int32](repeating: -1, count: builder.sets.count)
    var classOfElement = [Int32](repeating: 0, count: total)
    var sizes: [Int] = []
    for element in 0..<total {
      let root = builder.sets.find(element)
      if classOfRoot[root] < 0 {
        classOfRoot[root] = Int32(sizes.count)
        sizes.append(0)
        pins.append(builder.sets.pin(of: root))
      }
      classOfElement[element] = classOfRoot[root]
      sizes[Int(classOfRoot[root])] += 1
    }
    count = sizes.count
    firstOfClass = [0]
    for size in sizes { firstOfClass.append(firstOfClass.last! + size) }
    var next = firstOfClass
    elementsByClass = [Int32](repeating: 0, count: total)
    for element in 0..<total {
      let number = Int(classOfElement[element])
      elementsByClass[next[number]] = Int32(element)
      next[number] += 1
    }
    var strandNumbers = [Int32](repeating: 0, count: total)
    for (number, strand) in builder.table.strands.enumerated() {
      for element in strand.elements { strandNumbers[element] = Int32(number) }
    }
    self.strandNumbers = strandNumbers
  }

  /// The elements of a class, in order.
  func elements(of number: Int) -> some Sequence<Int> {
    elementsByClass[firstOfClass[number]..<firstOfClass[number + 1]].lazy.map(Int.init)
  }

  func strand(ofElement element: Int) -> Int { Int(strandNumbers[element]) }

  /// The strand of every element of a class, in order.
  func strands(of number: Int) -> [Int32] { elements(of: number).map { strandNumbers[$0] } }
}
