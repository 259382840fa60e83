import CPrunecKernels
import PrunecGraphIR
import PrunecOperators
import PrunecTensors

/// Convolutions over three spatial axes: sums of convolutions of images, one for each tap along the first of the axes.
extension Planner {
  /// Results along the first spatial axis that the same taps reach.
  private struct Reach {
    var first: Int
    var count: Int
    var taps: [Int]
  }

  /// Taps and results along the first spatial axis whose pairs are looked at, and steps that are made of them, at most.
  private static let pairLimit = 1 << 20
  static let volumeStepLimit = 1 << 13

  mutating func lowerVolumeConvolution(
    _ id: NodeID, _ convolution: ConvolutionComputation, _ operand: View, _ weight: ValueID,
    _ output: ValueID, _ biases: [Float]?
  ) throws(CompileError) -> Bool {
    let pairs = convolution.kernel[0].multipliedReportingOverflow(by: shape(of: output)[2])
    guard !convolution.isTransposed, !pairs.overflow, pairs.partialValue <= Self.pairLimit else {
      return false
    }
    let reaches = Self.reaches(
      convolution, input: operand.shape[2], output: shape(of: output)[2])
    let stepCount = reaches.reduce(0) { $0 + $1.taps.count }
    guard reaches.allSatisfy({ !$0.taps.isEmpty }),
      operand.shape[0] <= Self.volumeStepLimit / max(stepCount, 1)
    else { return false }
    var epilogue = try epilogue(of: output, channelAxis: 1, biases: biases, takesAddends: false)
    if convolution.activation != .identity {
      epilogue = Epilogue(output: output, biases: biases, activation: convolution.activation)
    }
    let weightShape = shape(of: weight)
    let x = channelsLast(operand, for: id)
    let y = result(epilogue.output, order: [0, 2, 3, 4, 1])
    absorbed.formUnion(epilogue.nodes)
    let plane = Plane(
      kernel: Array(convolution.kernel[1...]), strides: Array(convolution.strides[1...]),
      dilations: Array(convolution.dilations[1...]),
      before: convolution.padding[1...].map(\.before), input: Array(x.shape[3...]),
      output: Array(y.shape[3...]))
    let border = zeros(weightShape[1])
    let packed = (0..<convolution.kernel[0]).map {
      packedTap(id, $0, convolution, weight, epilogue)
    }
    for item in 0..<x.shape[0] {
      let (source, target) = (x.volume(item), y.volume(item))
      for reach in reaches {
        for (place, tap) in reach.taps.enumerated() {
          let start =
            reach.first * convolution.strides[0] + tap * convolution.dilations[0]
            - convolution.padding[0].before
          let images = source.images(start, step: convolution.strides[0], count: reach.count)
          let sums = target.images(reach.first, step: 1, count: reach.count)
          var product = Self.product(
            plane, convolution.groups, weightShape[1], weightShape[0] / convolution.groups,
            images, sums)
          var part = Epilogue(output: epilogue.output)
          if place == reach.taps.count - 1 { part.activation = epilogue.activation }
          if place > 0 { Self.fillAddend(&product, Planar(sums)) }
          addProduct(
            [id] + epilogue.nodes, "convolution", product, x: images,
            weights: .constant(packed[tap], hasBiases: place == 0),
            epilogue: part, addend: place > 0 ? sums : nil, y: sums, zeros: border)
        }
      }
    }
    return true
  }

  /// Neighbours that the same taps reach, together.
  private static func reaches(
    _ convolution: ConvolutionComputation, input: Int, output: Int
  ) -> [Reach] {
    var reaches: [Reach] = []
    for index in 0..<output {
      let taps = (0..<convolution.kernel[0]).filter { tap in
        let place =
          index * convolution.strides[0] + tap * convolution.dilations[0]
          - convolution.padding[0].before
        return (0..<input).contains(place)
      }
      if reaches.last?.taps == taps {
        reaches[reaches.count - 1].count += 1
      } else {
        reaches.append(Reach(first: index, count: 1, taps: taps))
      }
    }
    return reaches
  }

  /// The weights of one tap along the first spatial axis, with the biases.
  private func packedTap(
    _ id: NodeID, _ tap: Int, _ convolution: ConvolutionComputation, _ weight: ValueID,
    _ epilogue: Epilogue
  ) -> PackedWeights {
    let channels = shape(of: weight)[1]
    let filters = shape(of: weight)[0] / convolution.groups
    let (height, width) = (convolution.kernel[1], convolution.kernel[2])
    let taps = convolution.kernel.elementCount
    var packing = Self.packing(
      groups: convolution.groups, filters: filters, channels: channels)
    packing.output = channels * taps
    packing.input = taps
    packing.kernel_row = width
    packing.kernel_column = 1
    packing.w_group = filters * packing.output
    (packing.kernel_height, packing.kernel_width) = (height, width)
    return weights.packed(
      .init(node: id, part: tap), packing, of: weight, offset: tap * height * width,
      factors: epilogue.factors, biases: epilogue.biases)
  }
}

extension View {
  /// Every `step`th of images `[D, C, H, W]`.
  fileprivate func images(_ first: Int, step: Int, count: Int) -> View {
    var view = self
    view.offset += first * strides[0]
    view.strides[0] *= step
    view.shape[0] = count
    return view
  }
}
