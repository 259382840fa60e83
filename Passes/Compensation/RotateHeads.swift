import PrunecCalibration
import PrunecCoupling
import PrunecGraphIR
import PrunecLinearAlgebra
import PrunecPassKit
import PrunecSemantics
import PrunecTensors

/// Turns the dimensions of attention heads so that the last ones matter least, on data. The graph computes what it did.
///
///     q = x Wq;  k = x Wk             q' = A q;  k' = A^-T k        (q'k' = q k)
///     v = x Wv;  y = z Wo        =>   v' = B v;  Wo' = Wo B^-1      (z' = B z)
///
/// With `Cq = E[q q^T]`, summed over the heads of queries that meet one of keys, and Ck that of the keys less their mean over the
/// positions of a sample, which softmax does not see,
///
///     Ck^1/2 Cq Ck^1/2 = V L V^T,  k' = V^T Ck^-1/2 k,  q' = V^T Ck^1/2 q
///
/// so that dropping the last dimensions loses the least of the scores' power, the sum of their L. With Cz the covariance of what a
/// head mixes of its values, and O its columns of the output projection,
///
///     Cz^1/2 O^T O Cz^1/2 = R L R^T,  v' = R^T Cz^-1/2 v,  O' = O Cz^1/2 R
///
/// does the same for the projection's results. (Principal components on both sides of a product, as in "SliceGPT", Ashkboos et al.,
/// ICLR 2024, there for the residual stream; here for the bilinear forms of a head.)
///
/// Legal where
/// 1. nothing but rearrangement and a constant factor lies between the layers and the products (`AttentionHeads`): heads with rotary
///    embeddings or normalized queries and keys stay as they are;
/// 2. nothing else reads what is turned;
/// 3. weights and biases are constants of single precision that only their layer uses.
///
/// The sums over samples are those of `collect-statistics`, which are turned along.
package struct RotateHeads: Pass {
  package static let name = "rotate-heads"
  package static let summary = "order the dimensions of attention heads by what they matter on data"
  package static let effect = Effect.preserving(tolerance: 1e-3)

  package init(options: inout OptionReader) throws(CompileError) {}

  package func run(on graph: inout Graph, _ context: inout PassContext) throws(CompileError) {
    guard let (moments, revision) = context.headMoments, revision == graph.revision else {
      throw CompileError(
        .usage, "\(Self.name) needs sums over what heads match and mix in the graph as it is",
        notes: ["collect-statistics{heads=true} right before it gives them"])
    }
    for (index, matching) in moments.heads.matchings.enumerated() {
      perform(matching, moments.queries[index], moments.keys[index], &graph, &context)
    }
    for (index, mixing) in moments.heads.mixings.enumerated() {
      perform(mixing, moments.mixed[index], &graph, &context)
    }
    context.headMoments = nil
  }

  // MARK: Perform

  private func perform(
    _ matching: AttentionHeads.Matching, _ queries: [[Moments]], _ keys: [Moments],
    _ graph: inout Graph, _ context: inout PassContext
  ) {
    var scores: [[Double]] = []
    for (head, (keyChannels, queryChannels)) in matching.heads.enumerated() {
      let size = keyChannels.count
      var queryMoment = [Double](repeating: 0, count: size * size)
      for moments in queries[head] {
        for (index, value) in moments.covariance(isCentred: false).enumerated() {
          queryMoment[index] += value
        }
      }
      guard let root = SquareRoot(keys[head].covariance(), n: size),
        let turn = Self.turn(root, queryMoment, size)
      else { continue }
      let toKey = LinearAlgebra.product(
        turn.vectors, root.inverse, m: size, k: size, n: size)
      let toQuery = LinearAlgebra.product(turn.vectors, root.root, m: size, k: size, n: size)
      Self.turnOutputs(of: matching.key, keyChannels, by: toKey, &graph)
      for channels in queryChannels {
        Self.turnOutputs(of: matching.query, channels, by: toQuery, &graph)
      }
      scores.append(turn.values)
    }
    Self.note(scores, matching.query, matching.heads.flatMap(\.queries), &context)
    Self.note(scores, matching.key, matching.heads.map(\.keys), &context)
  }

  private func perform(
    _ mixing: AttentionHeads.Mixing, _ moments: [Moments], _ graph: inout Graph,
    _ context: inout PassContext
  ) {
    var scores: [[Double]] = []
    let form = mixing.output.form
    for (head, (values, outputs)) in mixing.heads.enumerated() {
      let size = values.count
      let matrix = form.matrix(of: graph[mixing.output.layer.weight].constant!, group: 0)
        .map(Double.init)
      var power = [Double](repeating: 0, count: size * size)
      for output in outputs {
        let columns = (0..<form.outputs).flatMap { row in
          output.inputs.map { matrix[row * form.inputs + $0] }
        }
        let gram = LinearAlgebra.product(
          columns, columns, m: size, k: form.outputs, n: size, transposesA: true)
        for index in power.indices { power[index] += gram[index] }
      }
      guard let root = SquareRoot(moments[head].covariance(), n: size),
        let turn = Self.turn(root, power, size)
      else { continue }
      let toValue = LinearAlgebra.product(turn.vectors, root.inverse, m: size, k: size, n: size)
      // Rows of V^T C^1/2 are what the old columns are made of.
      let back = LinearAlgebra.product(turn.vectors, root.root, m: size, k: size, n: size)
      Self.turnOutputs(of: mixing.value, values, by: toValue, &graph)
      for output in outputs {
        Self.turnInputs(of: mixing.output, output.inputs, by: back, &graph)
        // The projection's inputs have been turned with the values.
        context.statistics?.turnInputs(of: mixing.output.layer.node, output.inputs, by: toValue)
      }
      scores.append(turn.values)
    }
    Self.note(scores, mixing.value, mixing.heads.map(\.values), &context)
  }

  /// The eigenvectors of `root power root` as rows, those of the greatest eigenvalues first, and the shares of the values.
  private static func turn(
    _ root: SquareRoot, _ power: [Double], _ size: Int
  ) -> (vectors: [Double], values: [Double])? {
    let half = LinearAlgebra.product(root.root, power, m: size, k: size, n: size)
    let product = LinearAlgebra.product(half, root.root, m: size, k: size, n: size)
    guard let eigen = LinearAlgebra.eigen(product, n: size) else { return nil }
    let order = (0..<size).reversed()
    let values = order.map { max(0, eigen.values[$0]) }
    let sum = max(values.reduce(0, +), .leastNormalMagnitude)
    // The choice between two opposite vectors must not hang on rounding.
    let vectors = order.flatMap { row -> [Double] in
      let vector = eigen.vectors[(row * size)..<((row + 1) * size)]
      let largest = vector.max { abs($0) < abs($1) } ?? 0
      return vector.map { largest < 0 ? -$0 : $0 }
    }
    return (vectors, values.map { $0 / sum })
  }

  /// Replaces the rows of a layer's matrix that make `channels`, and its biases, by sums of them.
  private static func turnOutputs(
    of layer: FittableLayer, _ channels: [Int], by turn: [Double], _ graph: inout Graph
  ) {
    let form = layer.form
    let weight = graph[layer.layer.weight].constant!
    var matrix = form.matrix(of: weight, group: 0)
    let (size, length) = (channels.count, form.rowLength)
    let rows = channels.flatMap { matrix[($0 * length)..<(($0 + 1) * length)].map(Double.init) }
    let turned = LinearAlgebra.product(turn, rows, m: size, k: size, n: length)
    for (index, channel) in channels.enumerated() {
      for column in 0..<length {
        matrix[channel * length + column] = Float(turned[index * length + column])
      }
    }
    var elements = weight.floats
    form.put(matrix, group: 0, into: &elements)
    graph.setTensor(
      of: layer.layer.weight,
      to: Tensor(rounding: elements, to: weight.elementType, shape: weight.shape))
    guard case .constant(let bias) = layer.bias, let old = graph[bias].constant else { return }
    var biases = old.floats
    let own = channels.map { Double(biases[$0]) }
    let turnedBiases = LinearAlgebra.product(turn, own, m: size, k: size, n: 1)
    for (index, channel) in channels.enumerated() { biases[channel] = Float(turnedBiases[index]) }
    graph.setTensor(of: bias, to: Tensor(rounding: biases, to: old.elementType, shape: old.shape))
  }

  /// Replaces the columns of a layer's matrix that meet `inputs` by sums of them.
  private static func turnInputs(
    of layer: FittableLayer, _ inputs: [Int], by turn: [Double], _ graph: inout Graph
  ) {
    let form = layer.form
    let weight = graph[layer.layer.weight].constant!
    var matrix = form.matrix(of: weight, group: 0)
    let (size, length) = (inputs.count, form.rowLength)
    let columns = (0..<form.outputs).flatMap { row in
      inputs.map { Double(matrix[row * length + $0]) }
    }
    let turned = LinearAlgebra.product(
      columns, turn, m: form.outputs, k: size, n: size, transposesB: true)
    for row in 0..<form.outputs {
      for (index, input) in inputs.enumerated() {
        matrix[row * length + input] = Float(turned[row * size + index])
      }
    }
    var elements = weight.floats
    form.put(matrix, group: 0, into: &elements)
    graph.setTensor(
      of: layer.layer.weight,
      to: Tensor(rounding: elements, to: weight.elementType, shape: weight.shape))
  }

  /// Notes for every channel the share of its head's power that it has.
  private static func note(
    _ scores: [[Double]], _ layer: FittableLayer, _ heads: [[Int]], _ context: inout PassContext
  ) {
    guard !scores.isEmpty else { return }
    let axis = Axis(layer.layer.weight, layer.layer.outputAxis)
    var powers = context.rotatedPowers[axis] ?? [:]
    for (index, channels) in heads.enumerated() {
      let own = scores[index * scores.count / heads.count]
      for (dimension, channel) in channels.enumerated() { powers[channel] = Float(own[dimension]) }
    }
    context.rotatedPowers[axis] = powers
  }
}

/// The square root of a symmetric positive definite matrix, and its inverse.
private struct SquareRoot {
  let root: [Double]
  let inverse: [Double]

  /// Part of the mean of the diagonal that is added to it: any such matrix keeps what the graph computes, and a well-conditioned
  /// one its digits.
  private static let ridge = 1e-4

  init?(_ matrix: [Double], n: Int) {
    var regular = matrix
    let mean = (0..<n).reduce(0) { $0 + matrix[$1 * n + $1] } / Double(max(1, n))
    guard mean > 0, mean.isFinite else { return nil }
    for index in 0..<n { regular[index * n + index] += Self.ridge * mean }
    guard let eigen = LinearAlgebra.eigen(regular, n: n), eigen.values.allSatisfy({ $0 > 0 }) else {
      return nil
    }
    func power(_ exponent: (Double) -> Double) -> [Double] {
      var scaled = eigen.vectors
      for row in 0..<n {
        for column in 0..<n { scaled[row * n + column] *= exponent(eigen.values[row]) }
      }
      return LinearAlgebra.product(eigen.vectors, scaled, m: n, k: n, n: n, transposesA: true)
    }
    root = power { $0.squareRoot() }
    inverse = power { 1 / $0.squareRoot() }
  }
}
