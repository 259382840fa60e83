import PrunecGraphIR

/// What convolutions of numbers and of integers have in common, which differ in where their operands
/// are: `X [N, C, D1 ... Dn]`, `W [M, C/group, k1 ... kn]`, `B [M]`, `Y [N, M, E1 ... En]`.
struct ConvolutionForm {
  /// The places of the operands.
  let x: Int
  let w: Int
  let bias: Int

  /// The shape of Y; `nil` where not even its rank is known.
  func resultShape(_ call: Invocation) throws(CompileError) -> [Dimension]? {
    let group = try call.requiredInt("group")
    guard group > 0 else { throw call.malformed("group is \(group)") }
    guard let input = call.shape(x), let weight = call.shape(w) else { return nil }
    guard input.count >= 3, weight.count == input.count else {
      throw call.malformed("X has \(input.count) axes and W has \(weight.count)")
    }
    if let channels = input[1].fixedExtent, let perGroup = weight[1].fixedExtent {
      let (product, overflow) = perGroup.multipliedReportingOverflow(by: group)
      guard !overflow, product == channels else {
        throw call.malformed(
          "X has \(channels) channels, W takes \(perGroup) in each of \(group) group(s)")
      }
    }
    if let filters = weight[0].fixedExtent, filters % group != 0 {
      throw call.malformed("\(filters) filters do not divide into \(group) groups")
    }
    if let bias = call.shape(bias) {
      guard bias.count == 1 else { throw call.malformed("B has \(bias.count) axes") }
      if let length = bias[0].fixedExtent, let filters = weight[0].fixedExtent, length != filters {
        throw call.malformed("B has \(length) elements for \(filters) filters")
      }
    }
    guard let kernel = try ConvolutionGeometry.kernel(call, weight: weight) else {
      return [input[0], weight[0]] + [Dimension](repeating: .unknown, count: input.count - 2)
    }
    let geometry = try ConvolutionGeometry(call, kernel: kernel, input: Array(input[2...]))
    return [input[0], weight[0]] + geometry.output
  }

  /// Ties the channels together, and says whether enough is known for it. That X's axis of channels is
  /// summed over, and how, is for the operator to say.
  func relate(_ call: Invocation, _ relations: inout Relations) -> Bool {
    guard call.hasAllRanks, call.shape(x)?[1].fixedExtent != nil,
      let filters = call.shape(w)?[0].fixedExtent
    else { return false }
    let group = call.int("group")!
    relations.equal(.operand(w, axis: 0), .result(axis: 1))
    if call.operand(bias) != nil { relations.equal(.operand(bias, axis: 0), .result(axis: 1)) }
    if group == 1 {
      relations.equal(.operand(x, axis: 1), .operand(w, axis: 1))
    } else {
      let groups = relations.virtualAxis(extent: group)
      relations.split(.operand(x, axis: 1), into: [groups, .operand(w, axis: 1)])
      let positions = relations.virtualAxis(extent: filters / group)
      relations.split(.result(axis: 1), into: [groups, positions])
    }
    return true
  }

  func adapt(_ call: Invocation, to cut: Cut) -> [Adaptation] {
    let group = call.int("group")!
    guard group > 1, let kept = cut[.operand(x, axis: 1)] else { return [] }
    let perGroup = cut[.operand(w, axis: 1)]?.count ?? call.shape(w)![1].fixedExtent!
    return [.attribute(Attribute("group", kept.count / perGroup))]
  }

  func macs(_ call: Invocation) -> Int {
    guard let output = call.results.first?.shape, let weight = call.shape(w) else { return 0 }
    return (output + weight[1...]).reduce(1) { $0 &* $1.nominalExtent }
  }
}

extension ConvolutionForm {
  /// What kernels compute; every extent is a number.
  func computation(_ call: Invocation) throws(CompileError) -> ConvolutionComputation {
    let weight = call.operand(w)!.fixedShape!
    let geometry = try ConvolutionGeometry(
      call, kernel: Array(weight[2...]), input: Array(call.shape(x)![2...]))
    return ConvolutionComputation(
      groups: call.int("group")!, kernel: geometry.kernel, strides: geometry.strides,
      dilations: geometry.dilations, padding: geometry.padding!, isTransposed: false)
  }
}
