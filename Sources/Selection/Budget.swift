import PrunecCoupling
import PrunecGraphIR

/// How much is to be removed.
public enum Budget: Sendable, Hashable {
  /// Keep at most this fraction of the MACs.
  case macs(Double)
  /// Keep at most this fraction of the parameters.
  case parameters(Double)
  /// Remove this fraction of the channels of every group.
  case ratio(Double)
  /// Need at most this much memory for activations.
  case memory(MemoryTarget)
  /// Run in at most this time, as measured on a device.
  case latency(LatencyTarget, on: TimingDevice)

  /// The fraction of the MACs that stays where nothing is said.
  public static let standardFraction = 0.5

  /// The budget of which one part is given; `standardFraction` of the MACs where none is.
  ///
  /// Throws a usage error where there is more than one, or a device without a time.
  public init(
    macs: Double? = nil, parameters: Double? = nil, ratio: Double? = nil,
    memory: MemoryTarget? = nil, latency: LatencyTarget? = nil,
    on device: TimingDevice = .runtime(threads: nil)
  ) throws(CompileError) {
    let budgets = [
      macs.map(Budget.macs), parameters.map(Budget.parameters), ratio.map(Budget.ratio),
      memory.map(Budget.memory), latency.map { Budget.latency($0, on: device) },
    ].compactMap { $0 }
    guard budgets.count <= 1 else {
      throw CompileError(.usage, "give one of macs, params, ratio, peak-memory and latency")
    }
    switch device {
    case .runtime(threads: nil): break
    case _ where latency != nil: break
    case .runtime: throw CompileError(.usage, "threads is for latency")
    case .command: throw CompileError(.usage, "measure is for latency")
    }
    self = budgets.first ?? .macs(Self.standardFraction)
  }
}

/// Longest time that a model may take to run.
public enum LatencyTarget: Sendable, Hashable {
  /// This fraction of what it takes now.
  case fraction(Double)
  case seconds(Double)

  private static let units = [("ms", 1e-3), ("us", 1e-6), ("s", 1.0)]

  /// Reads a fraction above 0 and up to 1 (`0.5`), or a time above 0 (`4ms`, `800us`, `0.1s`); `nil` for anything else.
  public init?(_ text: String) {
    switch FractionOrAmount(text, units: Self.units) {
    case .fraction(let fraction): self = .fraction(fraction)
    case .amount(let amount): self = .seconds(amount)
    case nil: return nil
    }
  }

  /// As `init` reads it.
  public var text: String {
    switch self {
    case .fraction(let fraction): "\(fraction)"
    case .seconds(let seconds): "\(seconds)s"
    }
  }
}

/// Most memory that the activations of a model may take.
public enum MemoryTarget: Sendable, Hashable {
  /// This fraction of what they take now.
  case fraction(Double)
  case bytes(Int)

  private static let units = [("KiB", 1024.0), ("MiB", 1_048_576), ("GiB", 1_073_741_824)]

  /// Reads a fraction above 0 and up to 1 (`0.5`), or a size above 0 (`24MiB`, `512KiB`, `1.5GiB`); `nil` for anything else.
  public init?(_ text: String) {
    switch FractionOrAmount(text, units: Self.units) {
    case .fraction(let fraction): self = .fraction(fraction)
    case .amount(let amount): self = .bytes(Int(amount))
    case nil: return nil
    }
  }

  /// As `init` reads it.
  public var text: String {
    switch self {
    case .fraction(let fraction): "\(fraction)"
    case .bytes(let bytes): "\(Double(bytes) / 1024)KiB"
    }
  }
}

/// A part of what there is, or a number with a unit.
private enum FractionOrAmount {
  case fraction(Double)
  case amount(Double)

  /// Reads a fraction above 0 and up to 1, or a number above 0 with one of `units`, which is multiplied by the unit's factor.
  init?(_ text: String, units: [(name: String, factor: Double)]) {
    for (unit, factor) in units where text.hasSuffix(unit) {
      guard let number = Double(text.dropLast(unit.count)), number > 0, number < 1e9 else {
        return nil
      }
      self = .amount(number * factor)
      return
    }
    guard let number = Double(text), number > 0, number <= 1 else { return nil }
    self = .fraction(number)
  }
}

/// Where a budget looks for channels to remove.
public enum Scope: String, Sendable, CaseIterable {
  /// The least important channels of the whole model go first.
  case global
  /// Every group loses the same fraction.
  case uniform
  /// Every group loses so much that the outputs move least for what is saved, as measured on samples.
  case individual
}

/// To what multiples channel counts are rounded.
public enum Alignment: Sendable, Hashable {
  /// 16 for groups of at least 64 channels, 4 from 16 channels up, 1 below: runtimes compute
  /// channels in blocks of 16 on AVX-512, and counts that are no multiple of 4 cost a quarter more.
  case auto
  case multiple(Int)

  /// The multiples that can be asked for.
  public static let multiples = 1...1024

  /// Reads `auto` or one of `multiples`; `nil` for anything else.
  public init?(_ text: String) {
    if text == "auto" {
      self = .auto
    } else if let multiple = Int(text), Self.multiples.contains(multiple) {
      self = .multiple(multiple)
    } else {
      return nil
    }
  }

  /// As `init` reads it.
  public var text: String {
    switch self {
    case .auto: "auto"
    case .multiple(let multiple): "\(multiple)"
    }
  }

  /// The multiple for a group of `count` channels.
  func multiple(forCount count: Int) -> Int {
    switch self {
    case .auto: count >= 64 ? 16 : (count >= 16 ? 4 : 1)
    case .multiple(let multiple): multiple
    }
  }
}

/// What a selection has to respect besides its budget.
public struct Guards: Sendable, Hashable {
  public var alignment: Alignment = .auto
  /// Greatest fraction of a group's channels that a budget may remove.
  public var maxRatio = 0.9
  /// Fewest channels that a budget may leave in a group that has more.
  public var minChannels = 8
  /// Kinds of groups to cut; all where there are none.
  public var only: [GroupKind] = []
  /// Kinds, or globs of names; groups they match are kept whole.
  public var keep: [String] = []
  /// Ratios for groups of a kind, or that a glob matches; the last match wins.
  public var ratios: [(pattern: String, ratio: Double)] = []

  public init() {}

  public static func == (lhs: Guards, rhs: Guards) -> Bool {
    lhs.alignment == rhs.alignment && lhs.maxRatio == rhs.maxRatio
      && lhs.minChannels == rhs.minChannels && lhs.keep == rhs.keep && lhs.only == rhs.only
      && lhs.ratios.elementsEqual(rhs.ratios, by: ==)
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(alignment)
    hasher.combine(keep)
  }
}

extension Guards {
  /// The kinds that are asked for by name.
  public var namedKinds: Set<GroupKind> {
    Set(only + (keep + ratios.map(\.pattern)).compactMap(GroupKind.init))
  }
}
