import ArgumentParser
import PrunecCommandLineSupport
import PrunecCoupling
import PrunecDriver
import PrunecGraphIR
import PrunecPasses

/// `prunec inspect MODEL`: the groups of channels that live and die together.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show which channels live and die together, what they cost, and what is pinned why.",
    discussion: "Weights need not be at hand: external data files may be absent.")

  @Argument(help: "The model (.onnx).")
  var model: String

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  @Option(CoupleChannels.direction) var direction: SplitDirection

  @OptionGroup(title: "Inputs")
  var inputs: GivenInputOptions

  func run() throws {
    let file = try LocatedError.at(model) { () throws(CompileError) in
      try ModelFile(model, allowAbsentExternalData: true)
    }
    let given = try inputs.inputs(of: file.model.graph)
    let inspection = try LocatedError.at(model) { () throws(CompileError) in
      try Inspection(of: file.model, direction: direction, inputs: given)
    }
    ExitStatus.writeError((file.warnings + inspection.warnings).map { $0.rendered(file: model) })
    print(json ? try OutputText.json(inspection) : InspectionTable(inspection).text)
  }
}

/// An inspection as a table for people.
private struct InspectionTable {
  let inspection: Inspection

  init(_ inspection: Inspection) { self.inspection = inspection }

  /// The first weights that hold the group's channels, with the axis, and how many axes more.
  private static func members(_ group: Inspection.Group) -> String {
    let shown = group.members.filter(\.isInitializer).prefix(2)
    let names = shown.map { "\($0.value)[\($0.axis)]" }
    let more = group.members.count - shown.count
    return (names + (more > 0 ? ["+\(more)"] : [])).joined(separator: " ")
  }

  var text: String {
    var free = Table(["group", "kind", "channels", "parameters", "MACs", "members"])
    var pinned = Table(["pinned", "channels", "because"])
    var hasPinned = false
    for group in inspection.groups {
      if let reason = group.pinned {
        pinned.add([group.name, "\(group.channels)", reason])
        hasPinned = true
        continue
      }
      free.add([
        group.name, group.kind.rawValue, "\(group.channels)",
        OutputText.percent(group.parameters, of: inspection.parameters),
        OutputText.percent(group.macs, of: inspection.macs), Self.members(group),
      ])
    }
    let summary =
      "\(OutputText.count(inspection.parameters)) parameters, "
      + "\(OutputText.count(inspection.macs)) MACs"
    return [summary, free.text, hasPinned ? pinned.text : ""].filter { !$0.isEmpty }
      .joined(separator: "\n\n")
  }
}
