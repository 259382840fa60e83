import Foundation
import PrunecGraphIR
import PrunecTensors
import Testing

@testable import PrunecDataSets

/// Tests of images as inputs. That files are decoded as others decode them is `data_sets_tests.py`'s.
@Suite struct ImageTests {
  private let grey = Image(
    height: 2, width: 4, channels: 1, pixels: [0, 10, 20, 30, 40, 50, 60, 70])

  @Test func weightsOfTheSameSizeAreOne() {
    let weights = ResamplingWeights(from: 5, to: 5, part: 1..<3)
    #expect(weights.sources == 1..<4)
    #expect(weights.weights.map { $0[0] } == [1, 1])
  }

  @Test func weightsOfHalfTheSizeAreATriangle() {
    let weights = ResamplingWeights(from: 8, to: 4, part: 0..<4)
    #expect(weights.starts == [0, 1, 3, 5])
    #expect(weights.weights[1] == [0.125, 0.375, 0.375, 0.125])
    // At the border what is left of the triangle sums to 1.
    #expect(weights.weights[0].map { ($0 * 7).rounded() } == [3, 3, 1])
  }

  @Test func imagesAreCroppedAboutTheirCentre() throws {
    let x = input("x", .float32, "1 1 2 2")
    let preparation = try ImagePreparation(for: x, DataSetOptions(mean: [0.5], std: [0.25]))
    let tensor = preparation.tensor(of: grey)
    #expect(tensor.shape == [1, 1, 2, 2] && preparation.shape == tensor.shape)
    let expected = [10, 20, 50, 60].map { (Float($0) / 255 - 0.5) / 0.25 }
    #expect(zip(tensor.floats, expected).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  @Test func channelsLieWhereTheModelHasThem() throws {
    let colour = Image(height: 1, width: 2, channels: 3, pixels: [1, 2, 3, 4, 5, 6])
    let first = input("x", .uint8, "N 3 1 2")
    let last = input("x", .uint8, "N 1 2 3")
    let open = input("x", .uint8, "N ? ? ?")
    #expect(
      try ImagePreparation(for: first, DataSetOptions()).tensor(of: colour).integers
        == [1, 4, 2, 5, 3, 6])
    let size = DataSetOptions.Size(height: 1, width: 2)
    // One row could be one channel.
    for options in [DataSetOptions(layout: .nhwc), DataSetOptions(layout: .nhwc, size: size)] {
      #expect(
        try ImagePreparation(for: last, options).tensor(of: colour)
          == Tensor(.uint8, shape: [1, 1, 2, 3], elements: [1, 2, 3, 4, 5, 6] as [UInt8]))
    }
    let given = DataSetOptions(layout: .nhwc, size: size)
    #expect(try ImagePreparation(for: open, given).shape == [1, 1, 2, 3])
  }

  @Test func coloursBecomeGreyAndGreyColours() {
    let colour = Image(height: 1, width: 2, channels: 3, pixels: [255, 0, 0, 255, 255, 255])
    #expect(colour.with(channels: 1).pixels == [76, 255])
    #expect(grey.with(channels: 3).pixels.prefix(6) == [0, 0, 0, 10, 10, 10])
  }

  @Test func anInputThatTakesNoImagesIsNamed() {
    let (open, fixed) = ("? ? ? ?", "1 3 8 8")
    let cases: [(ModelInput, DataSetOptions, String)] = [
      (input(), DataSetOptions(), "takes [N, 2], not [N, C, H, W] or [N, H, W, C]"),
      (input("x", .float32, open), DataSetOptions(), "does not tell the layout"),
      (input("x", .float32, "1 3 3 3"), DataSetOptions(), "does not tell the layout"),
      (
        input("x", .float32, "? 3 ? ?"), DataSetOptions(),
        "leaves the size of images open: pass --size"
      ),
      (
        input("x", .float32, fixed), DataSetOptions(size: .init(height: 9, width: 8)),
        "takes images of 8x8, not 9x8"
      ),
      (
        input("x", .float32, "1 4 8 8"), DataSetOptions(layout: .nchw),
        "takes 4 channels ([N, 4, 8, 8])"
      ),
      (input("x", .float32, fixed), DataSetOptions(mean: [0, 0]), "2 numbers for 3 channels"),
      (input("x", .float32, fixed), DataSetOptions(mean: [.nan]), "is not finite"),
      (input("x", .float32, fixed), DataSetOptions(std: [0]), "is not above 0"),
      (input("x", .float32, fixed), DataSetOptions(cropFraction: 0), "is not in (0, 1]"),
      (input("x", .int64, fixed), DataSetOptions(), "takes int64, not floating point or uint8"),
      (input("x", .uint8, fixed), DataSetOptions(mean: [0.5]), "takes uint8, which mean and std"),
    ]
    for (input, options, message) in cases {
      let text = failure { () throws(CompileError) in _ = try ImagePreparation(for: input, options)
      }
      #expect(text.hasPrefix("usage: ") && text.contains(message), "\(text)")
    }
  }

  @Test func whatIsNoImageIsLeftOut() throws {
    let folder = try SetFolder()
    try folder.write(Data("text".utf8), to: "cat/1.png")
    try folder.write(Data([0xFF, 0xD8, 0xFF]), to: "dog/2.JPG")
    try folder.write(Data(), to: "dog/3.jpeg")
    try folder.write(Data([1]), to: "dog/notes.txt")
    let inputs = [input("x", .float32, "1 3 8 8")]
    let set = try openDataSet(folder.path, for: inputs)
    #expect(set.count == 3 && set.hasLabels)
    #expect(set.warnings.map(\.message).first?.hasSuffix("left out: dog/notes.txt") == true)
    for (index, message) in ["1.png': it is neither", "2.JPG': ", "3.jpeg': it is neither"]
      .enumerated()
    {
      guard case .damaged(let damage) = try set.state(at: index) else {
        Issue.record("\(message) was decoded")
        continue
      }
      #expect(damage.contains(message))
    }
    try folder.write(Data(), to: "4.png")
    #expect(
      failure { () throws(CompileError) in _ = try openDataSet(folder.path, for: inputs) }
        .hasPrefix("malformed: has images beside folders ('4.png' and 'cat')"))
    #expect(
      failure { () throws(CompileError) in
        _ = try openDataSet(folder.path + "/cat", for: inputs + [input("z")])
      } == "usage: holds images for one input, and the model has 2: x, z")
  }
}
