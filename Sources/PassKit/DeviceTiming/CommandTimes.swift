import PrunecCoupling
import PrunecGraphIR
import PrunecONNXFormat
import PrunecRuntime
import PrunecSelection
import PrunecSemantics
import PrunecTensors

/// Times of the parts of a graph on the user's own device: a command prints them for small models that are made of the parts.
///
/// To start a command takes long, so parts are not measured at all the widths that a search comes by, but at some: all
/// channels, the fewest, and some between. Estimates for others follow from these. Whenever a whole model has been measured and the
/// search goes on, its parts are measured as well, so that estimates get better where they are needed. What the command takes for
/// next to nothing is taken off the time of every part.
package final class CommandTimes: MeasuredTimes {
  package let groupsOfPart: [[Int]]
  package var device: TimingDevice { .command(command) }
  package private(set) var warnings: [Diagnostic] = []

  private let command: TimingCommand
  private let graph: Graph
  private let facts: GraphFacts
  private let coupling: CouplingAnalysis
  private let selection: ChannelSelection
  private let shapes: InputShapes
  private let parts: ModelParts
  private let work: PartWork
  private let table: LatencyTable
  private let folder: TemporaryFolder
  private let originalPath: String
  private let progress: ((Double) -> Void)?

  /// By part, the times at the widths of its groups that are known, and what follows from them for others.
  private var known: [[[Int]: Double]]
  private var models: [PartTimeModel?]
  private var estimated: [[[Int]: Double]]
  /// Seconds that a unit of work takes where a part cannot be timed.
  private var rate = 1e-9
  /// Time that the command prints for a model that does nothing.
  private var overhead = 0.0
  private var isCalibrated = false
  private var original: Double?
  /// The counts of the model that has been measured last.
  private var lastMeasured: [Int]?
  private var refusals: [String: CompileError] = [:]

  /// Times of `graph` on inputs of `shapes`. `original` is what it has been made from, against which results are measured.
  /// `progress` receives how much of the first measurements is done.
  ///
  /// Throws where the original cannot be written.
  package init(
    _ graph: Graph, _ facts: GraphFacts, _ coupling: CouplingAnalysis,
    _ selection: ChannelSelection, original: Graph, shapes: InputShapes, command: TimingCommand,
    progress: ((Double) -> Void)? = nil
  ) throws(CompileError) {
    (self.graph, self.facts, self.coupling) = (graph, facts, coupling)
    (self.selection, self.shapes, self.command) = (selection, shapes, command)
    self.progress = progress
    table = LatencyTable(command: command.text, device: command.device)
    if let complaint = table.complaint {
      warnings.append(Diagnostic(.note, "times are measured anew: \(complaint)"))
    }
    folder = try TemporaryFolder()
    originalPath = folder.path(of: "original.onnx")
    let whole = original.sized(by: shapes)
    try exportModel(Model(irVersion: whole.irVersion, graph: whole), to: originalPath)
    let sized = graph.sized(by: shapes)
    let sizedFacts = try GraphFacts(of: sized)
    parts = ModelParts(sized, sizedFacts)
    work = PartWork(parts, sized, sizedFacts, CutCost(sized, sizedFacts, coupling, shapes))
    groupsOfPart = parts.nodes.map { nodes in
      let values = nodes.flatMap { graph[$0].inputs + graph[$0].outputs }.compactMap { $0 }
      return coupling.cuttableGroups(on: values)
    }
    known = [[[Int]: Double]](repeating: [:], count: parts.nodes.count)
    estimated = known
    models = [PartTimeModel?](repeating: nil, count: parts.nodes.count)
  }

  // MARK: Parts

  package func seconds(of parts: [Int], keeping kept: [Int]) throws(CompileError) -> [Double] {
    try calibrate()
    if kept == lastMeasured {
      lastMeasured = nil
      try measureParts(at: [kept])
    }
    return parts.map { seconds(of: $0, keeping: kept) }
  }

  private func widths(of part: Int, _ kept: [Int]) -> [Int] {
    groupsOfPart[part].map { kept[$0] }
  }

  private func seconds(of part: Int, keeping kept: [Int]) -> Double {
    let widths = widths(of: part, kept)
    if let seconds = estimated[part][widths] { return seconds }
    let amount = work.amounts(of: part, keeping: kept)
    let seconds =
      models[part]?.seconds(widths: widths, work: amount) ?? rate * amount.reduce(0, +)
    estimated[part][widths] = seconds
    return seconds
  }

  /// So many measurements are to be made at first, if the command takes several models or one.
  private static let (measurementsOfSeveral, measurementsOfOne) = (700, 200)
  private static let mostDesigns = 9

  /// Shares, by group, of the way from the fewest channels to all: widths at which every part is measured besides those two. In every
  /// other design all groups have the same share, and in the rest each has one of its own.
  private var designs: [[Double]] {
    let most = command.takesSeveral ? Self.measurementsOfSeveral : Self.measurementsOfOne
    let count = min(Self.mostDesigns, max(1, most / max(1, parts.nodes.count) - 2))
    var generator = SplitMix64(seed: 0)
    return (0..<count).map { index in
      // The halves, then the quarters between them, and so on (van der Corput).
      let place = index / 2 + 1
      let level = Int.bitWidth - place.leadingZeroBitCount
      let share = Double(2 * place + 1 - (1 << level)) / Double(1 << level)
      return index % 2 == 0
        ? coupling.groups.map { _ in share }
        : coupling.groups.map { _ in Double(generator.nextUniform()) }
    }
  }

  /// Measures every part at some widths.
  private func calibrate() throws(CompileError) {
    guard !isCalibrated else { return }
    isCalibrated = true
    overhead = try measured([try PartModel.nothing()])[0] ?? 0
    let least = selection.leastCounts
    var counts = [selection.mostCounts, least]
    if selection.wholeCounts != counts[0] { counts.append(selection.wholeCounts) }
    counts += designs.map { shares in selection.counts(ofTheWayFrom: least) { shares[$0] } }
    try measureParts(at: counts, progress)
    warnings += refusalWarning()
  }

  /// Measures the parts of the models with those counts, as far as they are not known.
  private func measureParts(
    at counts: [[Int]], _ progress: ((Double) -> Void)? = nil
  ) throws(CompileError) {
    var places: [(part: Int, kept: [Int])] = []
    var partModels: [PartModel] = []
    var asked = known.map { Set($0.keys) }
    for kept in counts {
      let missing = parts.nodes.indices.filter { asked[$0].insert(widths(of: $0, kept)).inserted }
      guard !missing.isEmpty else { continue }
      let cut = try cut(kept)
      let cutFacts = try GraphFacts(of: cut)
      for part in missing {
        guard let model = try PartModel(parts.nodes[part], of: cut, cutFacts) else { continue }
        places.append((part, kept))
        partModels.append(model)
      }
    }
    var times = try measured(partModels, progress)
    for _ in 0..<Self.repetitions {
      enter(times, places)
      let surprising = surprising(places, times)
      if surprising.isEmpty { break }
      let again = try measured(surprising.map { partModels[$0] }, isRepetition: true)
      for (index, seconds) in zip(surprising, again) { times[index] = seconds ?? times[index] }
    }
    enter(times, places)
    save()
  }

  private static let repetitions = 2
  /// A time that is further from what the other times of the part let expect is measured again.
  private static let surprise = 1.3

  /// The measurements that are not as expected.
  private func surprising(
    _ places: [(part: Int, kept: [Int])], _ times: [Double?]
  ) -> [Int] {
    places.indices.filter { index in
      let (part, kept) = places[index]
      guard let seconds = times[index], let model = models[part] else { return false }
      let ratio = model.surprise(
        PartTimeModel.Sample(
          widths: widths(of: part, kept), work: work.amounts(of: part, keeping: kept),
          seconds: own(seconds)))
      return max(ratio, 1 / ratio) > Self.surprise && seconds > 2 * overhead
    }
  }

  /// The time of a part without that of the call; what is as short as nothing takes some of it.
  private func own(_ seconds: Double) -> Double { max(seconds - overhead, 0.05 * seconds) }

  private func enter(_ times: [Double?], _ places: [(part: Int, kept: [Int])]) {
    for ((part, kept), seconds) in zip(places, times) {
      guard let seconds else { continue }
      known[part][widths(of: part, kept)] = own(seconds)
    }
    for part in Set(places.map(\.part)).sorted() where !known[part].isEmpty {
      let samples = known[part].sorted { $0.key.lexicographicallyPrecedes($1.key) }
        .map { widths, seconds in
          var kept = selection.wholeCounts
          for (group, width) in zip(groupsOfPart[part], widths) { kept[group] = width }
          return PartTimeModel.Sample(
            widths: widths, work: work.amounts(of: part, keeping: kept), seconds: seconds)
        }
      models[part] = PartTimeModel(samples)
      estimated[part] = [:]
    }
    let whole = selection.wholeCounts
    let timed = parts.nodes.indices.filter { models[$0] != nil }
    let amount = timed.reduce(0) { $0 + work.amounts(of: $1, keeping: whole).reduce(0, +) }
    let seconds = timed.reduce(0) { $0 + self.seconds(of: $1, keeping: whole) }
    if amount > 0 { rate = seconds / amount }
  }

  // MARK: Command

  private static let batch = 48

  /// The times of models, in seconds: from the table or measured, and `nil` where the command fails on one. A repetition measures
  /// what is known as well and gives the median.
  private func measured(
    _ models: [PartModel], isRepetition: Bool = false, _ progress: ((Double) -> Void)? = nil
  ) throws(CompileError) -> [Double?] {
    var asked: [PartModel] = []
    for model in models where refusals[model.digest] == nil {
      guard isRepetition || table[model.digest] == nil else { continue }
      if !asked.contains(where: { $0.digest == model.digest }) { asked.append(model) }
    }
    let size = command.takesSeveral ? Self.batch : 1
    for start in stride(from: 0, to: asked.count, by: size) {
      progress?(Double(start) / Double(asked.count))
      let batch = Array(asked[start..<min(start + size, asked.count)])
      try measure(batch)
    }
    return models.map { refusals[$0.digest] == nil ? table[$0.digest] : nil }
  }

  /// Measurements of this run by digest.
  private var measurements: [String: [Double]] = [:]

  private func measure(_ batch: [PartModel]) throws(CompileError) {
    let names = batch.indices.map { "part\($0).onnx" }
    defer { names.forEach(folder.remove) }
    var paths: [String] = []
    for (name, model) in zip(names, batch) {
      paths.append(try folder.write(model.bytes, to: name))
    }
    do {
      let times = try command.seconds(of: paths, in: folder)
      for (model, seconds) in zip(batch, times) {
        measurements[model.digest, default: []].append(seconds)
        table[model.digest] = Self.median(measurements[model.digest]!)
      }
    } catch {
      if batch.count > 1 {
        // One of them may be the reason.
        for model in batch { try measure([model]) }
      } else {
        refusals[batch[0].digest] = error
      }
    }
  }

  private func refusalWarning() -> [Diagnostic] {
    guard let first = refusals.keys.min(), let reason = refusals[first]?.diagnostics[0] else {
      return []
    }
    let count = models.count { $0 == nil }
    guard count > 0 else { return [] }
    return [
      Diagnostic(
        .warning,
        "\(count) of \(models.count) parts of the model are not timed but estimated by their work: "
          + reason.message, notes: reason.notes)
    ]
  }

  private static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }

  /// Keeps what has been measured of parts for later runs.
  package func save() {
    if let failure = table.save() { warnings.append(Diagnostic(.note, failure)) }
  }

  // MARK: Whole models

  /// The graph when group i keeps `kept[i]` channels.
  private func cut(_ kept: [Int]) throws(CompileError) -> Graph {
    var graph = graph
    let indices = coupling.keptIndices(removing: selection.removed(keeping: kept))
    try GraphCut(graph, facts, keeping: indices).perform(on: &graph)
    return graph.sized(by: shapes)
  }

  package func measureWhole() throws(CompileError) -> Double {
    if let original { return original }
    let times = try wholeTimes([originalPath, originalPath, originalPath])
    original = Self.median(times)
    return original!
  }

  /// Pairs of measurements of original and result, at first and at most, and how far their ratios may be apart for no more to be
  /// made.
  private static let (pairs, mostPairs, agreement) = (3, 7, 1.05)

  package func measure(
    keeping kept: [Int]
  ) throws(CompileError) -> (before: Double, after: Double) {
    let cut = try cut(kept)
    let path = folder.path(of: "candidate.onnx")
    defer { folder.remove("candidate.onnx") }
    try exportModel(Model(irVersion: cut.irVersion, graph: cut), to: path)
    var (before, ratios) = ([Double](), [Double]())
    repeat {
      let count = before.isEmpty ? Self.pairs : 2
      let times = try wholeTimes((0..<count).flatMap { _ in [originalPath, path] })
      for index in 0..<count {
        before.append(times[2 * index])
        ratios.append(times[2 * index + 1] / times[2 * index])
      }
    } while ratios.count < Self.mostPairs && ratios.max()! > Self.agreement * ratios.min()!
    lastMeasured = kept
    original = Self.median(before)
    return (original!, original! * Self.median(ratios))
  }

  /// The times of whole models, in seconds, one after the other.
  private func wholeTimes(_ paths: [String]) throws(CompileError) -> [Double] {
    if command.takesSeveral { return try command.seconds(of: paths, in: folder) }
    return try paths.map { (path) throws(CompileError) in
      try command.seconds(of: [path], in: folder)[0]
    }
  }
}

extension Graph {
  /// The graph with the extents of its inputs fixed.
  func sized(by shapes: InputShapes) -> Graph {
    var graph = self
    for input in inputs {
      guard var type = self[input].tensorType, let extents = shapes.extents[self[input].name] else {
        continue
      }
      type.shape = extents.map { .fixed($0) }
      graph.setType(of: input, to: ValueType(.tensor(type)))
    }
    return graph
  }
}
