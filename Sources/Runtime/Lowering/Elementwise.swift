import CPrunecKernels
import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Chains of element-wise operators: one pass over memory for all of them.
extension Planner {
  mutating func lowerElementwise(
    _ id: NodeID, _ formula: ElementwiseFormula
  ) throws(CompileError) -> Bool {
    guard let output = graph[id].outputs[0] else { return false }
    return try lowerElementwise(
      ElementwiseChain(
        id, formula, operands: operands(id, formula), output))
  }

  /// What the first registers of a formula hold.
  private mutating func operands(
    _ id: NodeID, _ formula: ElementwiseFormula
  ) -> [ElementwiseChain.Operand] {
    graph[id].inputs.prefix(formula.operandCount).map { .value($0!) }
      + formula.constants.map { .constant(newConstant($0)) }
  }

  /// Adds a chain, as long as it can be made.
  mutating func lowerElementwise(_ chain: ElementwiseChain) throws(CompileError) -> Bool {
    var longest = chain
    while let next = try successor(of: longest) { longest = next }
    guard try addProgram(longest) else { return false }
    absorbed.formUnion(longest.nodes)
    return true
  }

  /// The chain with the one node that uses its result, if that can be part of it.
  private mutating func successor(
    of chain: ElementwiseChain
  ) throws(CompileError) -> ElementwiseChain? {
    guard let (next, formula) = try soleElementwiseUse(of: chain.output),
      let output = graph[next].outputs[0], shape(of: output) == shape(of: chain.output)
    else { return nil }
    for operand in graph[next].inputs.prefix(formula.operandCount) where operand != chain.output {
      guard let operand, isAvailable(operand), try view(of: operand) != nil else { return nil }
    }
    let longer = chain.appending(next, formula, operands: operands(next, formula), output)
    guard longer.operands.count <= Int(prunec_max_operands),
      longer.instructions.count <= Int(prunec_max_instructions)
    else { return nil }
    return longer
  }

  /// The node that alone uses a value, all of whose uses are its operands, if its operator is element-wise.
  func soleElementwiseUse(
    of value: ValueID
  ) throws(CompileError) -> (NodeID, ElementwiseFormula)? {
    guard let next = soleUse(of: value),
      case .elementwise(let formula)? = try facts.kernelComputation(of: next)
    else { return nil }
    return (next, formula)
  }

  /// The node that alone uses a value.
  func soleUse(of value: ValueID) -> NodeID? {
    let users = Set(graph[value].uses.map(\.node))
    guard users.count == 1, let node = users.first!, !absorbed.contains(node),
      graph[node].captures.isEmpty
    else { return nil }
    return node
  }

  private mutating func addProgram(_ chain: ElementwiseChain) throws(CompileError) -> Bool {
    var views: [View] = []
    for operand in chain.operands {
      switch operand {
      case .constant(let view): views.append(view)
      case .value(let value):
        guard let view = try view(of: value) else { return false }
        views.append(view)
      }
    }
    let shape = shape(of: chain.output)
    // The layout is that of what there is most of.
    let leading = views.filter { $0.shape == shape }
    let order = (leading.first { buffers[$0.buffer].constant == nil } ?? leading.first)?.order
    let result = result(chain.output, order: order)
    let axes = result.order
    if let inner = axes.last(where: { shape[$0] != 1 }) {
      for index in views.indices {
        // Most of the elements in another order are worth a copy of their own.
        guard views[index].shape.elementCount * 4 >= shape.elementCount,
          ![0, 1].contains(views[index].broadcast(to: shape).strides[inner])
        else { continue }
        let missing = shape.count - views[index].shape.count
        let own = axes.compactMap { $0 >= missing ? $0 - missing : nil }
        views[index] = dense(views[index], order: own, for: chain.nodes[0])
      }
    }
    return addProgram(
      chain.nodes, chain.finished, views.map { $0.broadcast(to: shape) }, result)
  }

  /// Adds a program over views of the result's shape; `false` where they have too many axes.
  mutating func addProgram(
    _ nodes: [NodeID], _ instructions: [ElementwiseFormula.Instruction], _ operands: [View],
    _ result: View
  ) -> Bool {
    let loops = Loops([result] + operands, axes: result.order)
    guard loops.rank <= Int(prunec_max_rank) else { return false }
    var program = prunec_program()
    program.rank = loops.rank
    fill(&program.shape, loops.shape)
    program.operand_count = operands.count
    program.instruction_count = instructions.count
    withElements(of: &program.instructions, as: prunec_instruction.self) { target in
      for (index, instruction) in instructions.enumerated() {
        target[index] = prunec_instruction(instruction)
      }
    }
    let arguments = program
    var step = Step(
      nodes, "elementwise", reads: operands.map(\.buffer), writes: [result.buffer],
      operations: result.shape.elementCount * instructions.count
    ) { memory in
      var program = arguments
      withElements(of: &program.operands, as: prunec_operand.self) { target in
        for (index, operand) in operands.enumerated() {
          target[index] = prunec_operand(memory[operand], operand.type, loops.strides[index + 1])
        }
      }
      program.y = prunec_operand(memory[result], result.type, loops.strides[0])
      return .kernel(
        KernelCall(
          program, units: Kernels.table.pointee.program_units, Kernels.table.pointee.program))
    }
    step.replaceable = operands.filter { $0.type == result.type && $0.strides == result.strides }
      .map { ($0, result) }
    steps.append(step)
    return true
  }
}

/// Element-wise operators of which each uses the result of the one before.
struct ElementwiseChain {
  private(set) var nodes: [NodeID]
  private(set) var operands: [Operand]
  private(set) var instructions: [(operation: ElementwiseFormula.Operation, registers: [Register])]
  private(set) var output: ValueID

  enum Operand: Hashable {
    case value(ValueID)
    /// Of no value of the graph.
    case constant(View)
  }

  /// Operands are numbered apart from results until their number is known.
  enum Register {
    case operand(Int)
    case result(Int)
  }

  init(
    _ node: NodeID, _ formula: ElementwiseFormula, operands: [Operand], _ output: ValueID
  ) {
    (nodes, self.operands, instructions, self.output) = ([], [], [], output)
    append(node, formula, operands: operands, output)
  }

  func appending(
    _ node: NodeID, _ formula: ElementwiseFormula, operands: [Operand], _ output: ValueID
  ) -> ElementwiseChain {
    var longer = self
    longer.append(node, formula, operands: operands, output)
    return longer
  }

  private mutating func append(
    _ node: NodeID, _ formula: ElementwiseFormula, operands given: [Operand], _ output: ValueID
  ) {
    var registers = given.map { value -> Register in
      if value == .value(self.output), !instructions.isEmpty {
        return .result(instructions.count - 1)
      }
      if let known = operands.firstIndex(of: value) { return .operand(known) }
      operands.append(value)
      return .operand(operands.count - 1)
    }
    for instruction in formula.instructions {
      instructions.append((instruction.operation, instruction.registers.map { registers[$0] }))
      registers.append(.result(instructions.count - 1))
    }
    nodes.append(node)
    self.output = output
  }

  /// The instructions with the registers numbered as the kernels do.
  var finished: [ElementwiseFormula.Instruction] {
    instructions.map { operation, registers in
      ElementwiseFormula.Instruction(
        operation,
        registers.map { register in
          switch register {
          case .operand(let index): index
          case .result(let index): operands.count + index
          }
        })
    }
  }
}

/// Lends the elements of a C array, which Swift sees as a tuple.
func withElements<Values, Element>(
  of array: inout Values, as type: Element.Type,
  _ body: (UnsafeMutableBufferPointer<Element>) -> Void
) {
  withUnsafeMutableBytes(of: &array) { body($0.bindMemory(to: type)) }
}

extension prunec_operand {
  init(_ elements: UnsafeMutableRawPointer, _ type: ElementType, _ strides: [Int]) {
    self.init()
    self.elements = elements
    storage =
      switch type {
      case .bool: prunec_bool
      case .int8: prunec_int8
      case .uint8: prunec_uint8
      default: prunec_word
      }
    fill(&self.strides, strides)
  }
}

extension prunec_activation {
  init(_ activation: Activation) {
    let function =
      switch activation.function {
      case .identity: prunec_identity
      case .relu: prunec_relu
      case .clip: prunec_clip
      case .leakyRelu: prunec_leaky_relu
      case .sigmoid: prunec_sigmoid
      case .silu: prunec_silu
      case .hardSigmoid: prunec_hard_sigmoid
      case .hardSwish: prunec_hard_swish
      case .tanh: prunec_tanh
      case .gelu: prunec_gelu
      case .approximateGelu: prunec_gelu_tanh
      }
    self.init(function: function, alpha: activation.alpha, beta: activation.beta)
  }
}

extension prunec_instruction {
  init(_ instruction: ElementwiseFormula.Instruction) {
    self.init()
    let registers = instruction.registers.map { UInt8($0) } + [0, 0, 0]
    (a, b, c) = (registers[0], registers[1], registers[2])
    activation = prunec_activation(.identity)
    switch instruction.operation {
    case .number(let number): (operation, value) = (prunec_op_number, number)
    case .add: operation = prunec_op_add
    case .subtract: operation = prunec_op_subtract
    case .multiply: operation = prunec_op_multiply
    case .divide: operation = prunec_op_divide
    case .minimum: operation = prunec_op_minimum
    case .maximum: operation = prunec_op_maximum
    case .power: operation = prunec_op_power
    case .modulus: operation = prunec_op_modulus
    case .less: operation = prunec_op_less
    case .lessOrEqual: operation = prunec_op_less_or_equal
    case .equal: operation = prunec_op_equal
    case .and: operation = prunec_op_and
    case .or: operation = prunec_op_or
    case .xor: operation = prunec_op_xor
    case .not: operation = prunec_op_not
    case .select: operation = prunec_op_select
    case .activate(let function):
      (operation, activation) = (prunec_op_activate, prunec_activation(function))
    case .negate: operation = prunec_op_negate
    case .absolute: operation = prunec_op_absolute
    case .reciprocal: operation = prunec_op_reciprocal
    case .squareRoot: operation = prunec_op_square_root
    case .exponential: operation = prunec_op_exponential
    case .logarithm: operation = prunec_op_logarithm
    case .errorFunction: operation = prunec_op_error_function
    case .sine: operation = prunec_op_sine
    case .cosine: operation = prunec_op_cosine
    case .floor: operation = prunec_op_floor
    case .ceiling: operation = prunec_op_ceiling
    case .round: operation = prunec_op_round
    case .sign: operation = prunec_op_sign
    case .softplus: operation = prunec_op_softplus
    case .elu(let alpha): (operation, value) = (prunec_op_elu, alpha)
    case .toInt8: operation = prunec_op_to_int8
    case .toUInt8: operation = prunec_op_to_uint8
    case .toInt32: operation = prunec_op_to_int32
    case .fromInt32: operation = prunec_op_from_int32
    case .addInt32: operation = prunec_op_add_int32
    case .subtractInt32: operation = prunec_op_subtract_int32
    case .multiplyInt32: operation = prunec_op_multiply_int32
    case .minimumInt32: operation = prunec_op_minimum_int32
    case .maximumInt32: operation = prunec_op_maximum_int32
    case .lessInt32: operation = prunec_op_less_int32
    case .lessOrEqualInt32: operation = prunec_op_less_or_equal_int32
    case .equalInt32: operation = prunec_op_equal_int32
    }
  }
}
