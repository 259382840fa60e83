import ArgumentParser
import PrunecCommandLineSupport
import PrunecCoupling
import PrunecDriver
import PrunecGraphIR
import PrunecPasses
import PrunecSelection

/// How much is to be removed.
struct AmountOptions: ParsableArguments {
  @Option(MaskChannels.macs) var macs: Double?
  @Option(MaskChannels.params) var params: Double?
  @Option(MaskChannels.ratio) var ratio: Double?
  @Option(MaskChannels.peakMemory) var peakMemory: MemoryTarget?
  @Option(MaskChannels.latency) var latency: LatencyTarget?
  @Option(MaskChannels.threads) var threads: Int?
  @Option(MaskChannels.measure) var measure: String?
  @Option(MaskChannels.device) var device: String?
  @Option(MaskChannels.scope, orElse: "individual where the model is run on samples, else global")
  var scope: Scope?
  @Option(MaskChannels.align) var align: Alignment
  @Option(MaskChannels.maxRatio) var maxRatio: Double
  @Option(MaskChannels.minChannels) var minChannels: Int
  @Option(MaskChannels.only) var only: [GroupKind]
  @Option(MaskChannels.keep) var keep: [String]
  @Option(MaskChannels.ratioFor) var ratioFor: [(pattern: String, ratio: Double)]

  func apply(to options: inout PruneOptions) throws(CompileError) {
    options.budget = try Budget(
      macs: macs, parameters: params, ratio: ratio, memory: peakMemory, latency: latency,
      on: TimingDevice(threads: threads, command: measure, name: device))
    options.scope = scope
    options.guards.alignment = align
    options.guards.maxRatio = maxRatio
    options.guards.minChannels = minChannels
    options.guards.only = only
    options.guards.keep = keep
    options.guards.ratios = ratioFor
  }
}
