import ArgumentParser
import PrunecDataSets

/// Choice of samples, and how they are made of images.
package struct DataOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Use so many samples, chosen by the seed.", valueName: "n"))
  package var samples: Int?

  @Option(
    help: ArgumentHelp(
      "Subtract this from the values of images, which lie between 0 and 1: a number, or one a channel.",
      valueName: "m,..."))
  package var mean: NumberList?

  @Option(
    help: ArgumentHelp(
      "Divide the values of images by this then: a number, or one a channel.", valueName: "s,..."))
  package var std: NumberList?

  @Option(
    help: "Where the channels of images are: nchw or nhwc; as the model's input shows by default.")
  package var layout: DataSetOptions.Layout?

  @Option(
    help: ArgumentHelp(
      "Height and width of images where the model leaves them open: 224, or 224x160.",
      valueName: "size"))
  package var size: DataSetOptions.Size?

  @Option(
    help: ArgumentHelp(
      "Crop images to this fraction of what they are resized to: 0.875 is 256 pixels for 224.",
      valueName: "fraction"))
  package var crop: Double = 1

  package init() {}

  package func validate() throws {
    if let samples, samples < 1 { throw ValidationError("--samples must be at least 1") }
    guard crop > 0, crop <= 1 else { throw ValidationError("--crop must be above 0 and at most 1") }
  }

  /// The options as `openDataSet` takes them.
  package var options: DataSetOptions {
    DataSetOptions(
      mean: mean?.numbers ?? [], std: std?.numbers ?? [], layout: layout, size: size,
      cropFraction: crop)
  }
}

/// Numbers between commas.
package struct NumberList: ExpressibleByArgument, Sendable {
  package let numbers: [Float]

  package init?(argument: String) {
    let numbers = argument.split(separator: ",", omittingEmptySubsequences: false).map { Float($0) }
    guard numbers.allSatisfy({ $0?.isFinite ?? false }) else { return nil }
    self.numbers = numbers.compactMap { $0 }
  }
}

extension DataSetOptions.Layout: ExpressibleByArgument {}

extension DataSetOptions.Size: ExpressibleByArgument {
  /// A number of pixels for both sides, or height and width: `224x160`.
  public init?(argument: String) {
    let sides = argument.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard (1...2).contains(sides.count), let height = sides[0], let width = sides.last ?? nil,
      height > 0, width > 0
    else { return nil }
    self.init(height: height, width: width)
  }
}
