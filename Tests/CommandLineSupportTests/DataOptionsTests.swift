import ArgumentParser
import PrunecCommandLineSupport
import PrunecDataSets
import Testing

@Suite struct DataOptionsTests {
  @Test func optionsSayHowImagesAreRead() throws {
    let options = try DataOptions.parse([
      "--mean", "0.5,0.25,0", "--std", "2", "--size", "224x160", "--layout", "nhwc", "--crop",
      "0.875",
      "--samples", "7",
    ])
    #expect(options.samples == 7)
    #expect(
      options.options
        == DataSetOptions(
          mean: [0.5, 0.25, 0], std: [2], layout: .nhwc, size: .init(height: 224, width: 160),
          cropFraction: 0.875))
    #expect(try DataOptions.parse([]).options == DataSetOptions())
    #expect(
      try DataOptions.parse(["--size", "8"]).options.size
        == DataSetOptions.Size(height: 8, width: 8))
  }

  @Test(arguments: [
    ["--mean", "1,,2"], ["--mean", "nan"], ["--std", ""], ["--size", "8x"], ["--size", "-8"],
    ["--size", "1x2x3"], ["--layout", "chw"], ["--crop", "1.5"], ["--samples", "0"],
  ])
  func wrongOnesAreRefused(arguments: [String]) {
    #expect(throws: (any Error).self) { try DataOptions.parse(arguments) }
  }
}
