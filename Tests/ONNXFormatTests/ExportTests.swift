import Foundation
import PrunecFiles
import PrunecGraphIR
import PrunecTensors
import Testing

@testable import PrunecONNXFormat

@Suite struct ExportTests {
  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "export-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func path(_ name: String) -> String { folder.appending(path: name).path }

  private func files() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  /// A model that adds a constant of `count` elements.
  private func model(count: Int = 4) -> Model {
    var graph = Graph(name: "g", opsetImports: [OpsetImport("", 17)])
    let x = graph.addInput(name: "x", type: .tensor(.float32, [.fixed(count)]))
    let w = graph.addInitializer(name: "w", Tensor((0..<count).map(Float.init), shape: [count]))
    let add = graph.insert(
      OperationName("Add"), name: "add", inputs: [x, w],
      outputs: [("sum", .tensor(.float32, [.fixed(count)]))], at: .atEnd)
    graph.addOutput(name: "y", graph[add].outputs[0]!)
    return Model(irVersion: 8, graph: graph)
  }

  private func operations(_ graph: Graph) -> [String] {
    graph.nodes.map { id in
      let node = graph[id]
      let names = { (values: [ValueID?]) in
        values.map { $0.map { graph[$0].name } ?? "" }.joined(separator: ",")
      }
      return "\(names(node.outputs))=\(node.operation)(\(names(node.inputs)))"
    }
  }

  // MARK: Names

  @Test func resultTakesTheNameOfTheOutput() throws {
    let graph = try importModel(bytes: serialize(model())).model.graph
    #expect(operations(graph) == ["y=Add(x,w)"])
    #expect(graph.outputs.map(\.name) == ["y"])
  }

  @Test func outputsOfOneValueGetIdentities() throws {
    var model = model()
    model.graph.addOutput(name: "sum", model.graph.outputs[0].value)
    let graph = try importModel(bytes: serialize(model)).model.graph
    #expect(operations(graph) == ["sum=Add(x,w)", "y=Identity(sum)"])
    #expect(graph.outputs.map(\.name) == ["y", "sum"])
  }

  @Test func outputsThatAreInputsOrConstantsGetIdentities() throws {
    var model = model()
    model.graph.addOutput(name: "copy", model.graph.inputs[0])
    model.graph.addOutput(name: "constant", model.graph.initializers[0])
    model.graph.addOutput(name: "x", model.graph.inputs[0])
    model.graph.addOutput(name: "w", model.graph.initializers[0])
    let graph = try importModel(bytes: serialize(model)).model.graph
    #expect(operations(graph) == ["y=Add(x,w)", "copy=Identity(x)", "constant=Identity(w)"])
    #expect(graph.outputs.map(\.name) == ["y", "copy", "constant", "x", "w"])
  }

  @Test func nameOfAnOutputWins() throws {
    var model = model()
    let neg = model.graph.insert(
      OperationName("Neg"), name: "", inputs: [model.graph.inputs[0]], outputs: [("negated", nil)],
      at: .atEnd)
    model.graph.addOutput(name: "w", model.graph[neg].outputs[0]!)
    let graph = try importModel(bytes: serialize(model)).model.graph
    #expect(operations(graph) == ["y=Add(x,w_1)", "w=Neg(x)"])
  }

  @Test func outputCannotHaveTheNameOfAnotherInput() throws {
    var model = model()
    model.graph.addOutput(name: "x", model.graph.outputs[0].value)
    let error = #expect(throws: CompileError.self) { try serialize(model) }
    #expect(error?.kind == .malformed)
  }

  @Test func captureIsWrittenUnderTheNameAround() throws {
    var branch = Graph(name: "b", opsetImports: [OpsetImport("", 17)])
    let captured = branch.addCapture(name: "anything", type: nil)
    let neg = branch.insert(
      OperationName("Neg"), name: "", inputs: [captured], outputs: [("w", nil)], at: .atEnd)
    branch.addOutput(name: "w", branch[neg].outputs[0]!)
    var model = model()
    let id = model.graph.insert(
      OperationName("If"), name: "", inputs: [model.graph.inputs[0]],
      captures: [model.graph.outputs[0].value], outputs: [("r", nil)],
      attributes: [Attribute("then_branch", .graph(branch))], at: .atEnd)
    model.graph.addOutput(name: "r", model.graph[id].outputs[0]!)

    let graph = try importModel(bytes: serialize(model)).model.graph
    let node = try #require(graph.nodes.first { graph[$0].operation.type == "If" })
    #expect(graph[node].captures.map { graph[$0].name } == ["y"])
    let inner = try #require(graph[node].attributes[0].graphs.first)
    #expect(operations(inner) == ["w_1=Neg(y)"])
    #expect(Verifier.violations(in: graph).isEmpty)
  }

  /// A nested graph sees the names around it, so its own are others.
  @Test func nestedValuesDoNotHideThoseAround() throws {
    var branch = Graph(name: "b", opsetImports: [OpsetImport("", 17)])
    let constant = branch.addInitializer(name: "w", Tensor([1], shape: [1]))
    let neg = branch.insert(
      OperationName("Neg"), name: "", inputs: [constant], outputs: [("x", nil)], at: .atEnd)
    let abs = branch.insert(
      OperationName("Abs"), name: "", inputs: [branch[neg].outputs[0]], outputs: [("z", nil)],
      at: .atEnd)
    branch.addOutput(name: "z", branch[abs].outputs[0]!)
    var model = model()
    let id = model.graph.insert(
      OperationName("If"), name: "", inputs: [model.graph.inputs[0]], outputs: [("r", nil)],
      attributes: [Attribute("then_branch", .graph(branch))], at: .atEnd)
    model.graph.addOutput(name: "r", model.graph[id].outputs[0]!)
    let graph = try importModel(bytes: serialize(model)).model.graph
    let node = try #require(graph.nodes.first { graph[$0].operation.type == "If" })
    let inner = try #require(graph[node].attributes[0].graphs.first)
    #expect(operations(inner) == ["x_1=Neg(w_1)", "z=Abs(x_1)"])
  }

  // MARK: Annotations

  /// Of a result that is an output, too, a file may say one thing here and another there.
  @Test func documentationOfAnOutputsValueIsKept() throws {
    var model = model()
    let sum = model.graph.outputs[0].value
    model.graph.setAnnotations(of: sum, to: Annotations(docString: "what is added"))
    let graph = try importModel(bytes: serialize(model)).model.graph
    #expect(graph[graph.outputs[0].value].annotations.docString == "what is added")
  }

  @Test func declaredTypeOfAListedConstantIsKept() throws {
    var model = model()
    let open = ValueType.tensor(.float32, [.symbol("K")])
    let constant = model.graph.initializers[0]
    model.graph.listAsInput(constant, declaredType: open, annotations: .none)
    let graph = try importModel(bytes: serialize(model)).model.graph
    #expect(graph[graph.initializers[0]].declaredInputType == open)
  }

  /// Inputs had to list every initializer before version 4.
  @Test(arguments: [3, 4]) func initializersAreListedInOldFilesAlone(irVersion: Int) throws {
    let written = Model(irVersion: irVersion, graph: model().graph)
    let graph = try importModel(bytes: serialize(written)).model.graph
    #expect(graph[graph.initializers[0]].isListedAsInput == (irVersion < 4))
  }

  // MARK: Files

  @Test func weightsAreBorrowedFromTheFile() throws {
    try exportModel(model(count: 5000), to: path("m.onnx"))
    let imported = try importModel(path: path("m.onnx"))
    let tensor = try #require(imported.model.graph[imported.model.graph.initializers[0]].constant)
    #expect(tensor == Tensor((0..<5000).map(Float.init), shape: [5000]))
    #expect(imported.sourceFiles == [FileIdentity(path: path("m.onnx"))!])
    // The file stays mapped, whatever becomes of its name.
    try FileManager.default.removeItem(atPath: path("m.onnx"))
    #expect(tensor.floats[4999] == 4999)
  }

  @Test func sameModelGivesSameBytes() throws {
    try exportModel(model(), to: path("m.onnx"))
    let written = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path("m.onnx"))))
    #expect(try written == serialize(model()))
    #expect(try written == serialize(importModel(bytes: written).model))
    #expect(try files() == ["m.onnx"])
  }

  /// A model whose only weight is `tensor`, which a node has as an attribute too.
  private func model(holding tensor: Tensor) -> Model {
    var model = model()
    model.graph.setTensor(of: model.graph.initializers[0], to: tensor)
    model.graph.insert(
      OperationName("Constant"), name: "constant", inputs: [], outputs: [("c", nil)],
      attributes: [Attribute("value", .tensor(NamedTensor(tensor)))], at: .atEnd)
    return model
  }

  @Test(arguments: [ElementType.float32, .float16, .int4, .string])
  func lazySlicesAreWrittenLikeEagerOnes(type: ElementType) throws {
    var base =
      type == .string
      ? Tensor(strings: (0..<12000).map { Array("\($0)".utf8) }, shape: [400, 30])
      : Tensor(zeros: type, shape: [400, 30])
    if type != .string {
      base.withUnsafeMutableBytes { bytes in
        for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index * 7) }
      }
    }
    let rows = (0..<400).filter { $0 % 3 != 0 }
    let eager = model(holding: base.keeping(rows, alongAxis: 0).keeping([2, 9], alongAxis: 1))
    let lazy = model(
      holding: base.lazilyKeeping(rows, alongAxis: 0).lazilyKeeping([2, 9], alongAxis: 1))
    #expect(try serialize(lazy) == serialize(eager))
    for externalData in [ExportOptions.ExternalData.always, .never] {
      try exportModel(eager, to: path("m.onnx"), options: ExportOptions(externalData: externalData))
      let names = try files()
      let expected = try names.map { try Data(contentsOf: URL(fileURLWithPath: path($0))) }
      for name in names { try FileManager.default.removeItem(atPath: path(name)) }
      let byteCount = try exportModel(
        lazy, to: path("m.onnx"), options: ExportOptions(externalData: externalData))
      #expect(try files() == names)
      #expect(try names.map { try Data(contentsOf: URL(fileURLWithPath: path($0))) } == expected)
      #expect(byteCount == expected.reduce(0) { $0 + $1.count })
      for name in names { try FileManager.default.removeItem(atPath: path(name)) }
    }
  }

  /// What a mapped file has given back is there when it is read again.
  @Test func piecesCanBeReadTwice() throws {
    try exportModel(model(count: 1 << 20), to: path("m.onnx"))
    let imported = try importModel(path: path("m.onnx"))
    let tensor = try #require(imported.model.graph[imported.model.graph.initializers[0]].constant)
    for _ in 0..<2 {
      var floats: [Float] = []
      tensor.forEachPieceOfFloats(ofUnit: 1) { floats += $0 }
      #expect(floats == (0..<(1 << 20)).map(Float.init))
    }
  }

  @Test func inputIsNotOverwritten() throws {
    try exportModel(model(), to: path("m.onnx"))
    try FileManager.default.createSymbolicLink(
      atPath: path("link.onnx"), withDestinationPath: "m.onnx")
    let imported = try importModel(path: path("m.onnx"))
    var options = ExportOptions(sourceFiles: imported.sourceFiles)
    for name in ["m.onnx", "link.onnx"] {
      let error = #expect(throws: CompileError.self) {
        try exportModel(imported.model, to: path(name), options: options)
      }
      #expect(error?.kind == .usage)
    }
    options.inPlace = true
    try exportModel(imported.model, to: path("link.onnx"), options: options)
    #expect(try files() == ["link.onnx", "m.onnx"])
    #expect(FileIdentity(path: path("link.onnx")) == FileIdentity(path: path("m.onnx")))
    _ = try importModel(path: path("m.onnx"))
  }

  @Test func failureLeavesNothing() throws {
    try FileManager.default.createDirectory(
      atPath: path("taken.onnx"), withIntermediateDirectories: false)
    for target in ["taken.onnx", "nowhere/m.onnx"] {
      let error = #expect(throws: CompileError.self) {
        try exportModel(model(), to: path(target), options: ExportOptions(externalData: .always))
      }
      #expect(error?.kind == .inputOutput)
    }
    // The data file cannot get its name, after both files have been written.
    try exportModel(
      model(count: 5000), to: path("m.onnx"), options: ExportOptions(externalData: .always))
    let data = try dataFile()
    for name in ["m.onnx", data] { try FileManager.default.removeItem(atPath: path(name)) }
    try FileManager.default.createDirectory(
      atPath: path(data), withIntermediateDirectories: false)
    #expect(throws: CompileError.self) {
      try exportModel(
        model(count: 5000), to: path("m.onnx"), options: ExportOptions(externalData: .always))
    }
    #expect(try files() == [data, "taken.onnx"])
  }

  @Test func absentTensorsAreNotWritten() throws {
    var model = model()
    model.graph.setTensor(
      of: model.graph.initializers[0], to: Tensor(absent: .float32, shape: [4]))
    let error = #expect(throws: CompileError.self) { try exportModel(model, to: path("m.onnx")) }
    #expect(error?.kind == .usage)
    #expect(try files().isEmpty)
  }

  @Test func devicesAreWrittenTo() throws {
    try exportModel(model(), to: "/dev/null")
    #expect(FileManager.default.fileExists(atPath: "/dev/null"))
  }

  // MARK: External data

  /// The one data file of `m.onnx`.
  private func dataFile() throws -> String {
    try #require(files().first { ExternalDataName.isName($0, ofDataFor: "m.onnx") })
  }

  private func exportWithData(_ count: Int, to name: String = "m.onnx") throws {
    try exportModel(
      model(count: count), to: path(name), options: ExportOptions(externalData: .always))
  }

  @Test func dataIsNamedAfterItsContent() throws {
    try exportWithData(5000)
    let first = try dataFile()
    try exportWithData(5000)
    #expect(try files() == ["m.onnx", first])
    try exportWithData(6000)
    #expect(try files().count == 2)
    #expect(try dataFile() != first)
  }

  @Test func supersededDataGoesWhereNobodyNeedsIt() throws {
    try exportWithData(5000)
    let first = try dataFile()
    // Neither the data of another model, nor what only looks like data of this one.
    let other = "m.onnx.0123456789abcdef.data"
    try Data([1]).write(to: URL(fileURLWithPath: path(other)))
    try exportWithData(5000, to: "n.onnx")
    try exportWithData(6000)
    #expect(try !files().contains(first))
    #expect(try files().count == 5)
    #expect(try files().contains(other))
    _ = try importModel(path: path("n.onnx"))
    _ = try importModel(path: path("m.onnx"))
  }

  @Test func supersededDataStaysForACopy() throws {
    try exportWithData(5000)
    let first = try dataFile()
    try FileManager.default.copyItem(atPath: path("m.onnx"), toPath: path("copy"))
    try exportModel(model(count: 6000), to: path("m.onnx"))
    #expect(try files() == ["copy", "m.onnx", first])
    _ = try importModel(path: path("copy"))
    try FileManager.default.removeItem(atPath: path("copy"))
    #expect(!ExternalDataName.isName("m.onnx.data", ofDataFor: "m.onnx"))
    #expect(!ExternalDataName.isName(first, ofDataFor: "m"))
  }

  @Test func aModelIsStagedUntilItIsCommitted() throws {
    try exportWithData(5000)
    let before = try files()
    do {
      let staged = try StagedModel(
        model(count: 6000), for: path("m.onnx"), options: ExportOptions(externalData: .always))
      #expect(staged.byteCount > 24000)
      #expect(try files() == before)
    }
    #expect(try files() == before)
    let staged = try StagedModel(
      model(count: 6000), for: path("m.onnx"), options: ExportOptions(externalData: .always))
    try staged.commit()
    #expect(try files() != before)
    #expect(try files().count == 2)
  }

  /// Two writers at once, whose data differs: whichever comes last, the model has its own data.
  @Test func writersDoNotMix() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<8 {
        group.addTask {
          for round in 0..<8 { try exportWithData(2000 + writer % 3 * 1000 + round % 2) }
        }
      }
      try await group.waitForAll()
    }
    let imported = try importModel(path: path("m.onnx"))
    let tensor = try #require(imported.model.graph[imported.model.graph.initializers[0]].constant)
    #expect(tensor == Tensor((0..<tensor.shape[0]).map(Float.init), shape: tensor.shape))
    #expect(try files().count == 2)
  }

  @Test func readOnlyFilesAreNotReplaced() throws {
    try exportModel(model(), to: path("m.onnx"))
    let before = try Data(contentsOf: URL(fileURLWithPath: path("m.onnx")))
    try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: path("m.onnx"))
    let error = #expect(throws: CompileError.self) {
      try exportModel(model(count: 5000), to: path("m.onnx"))
    }
    #expect(error?.kind == .inputOutput)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path("m.onnx"))) == before)
  }

  @Test func externalDataGoesOutAndIn() throws {
    let original = model(count: 5000)
    try exportModel(original, to: path("m.onnx"), options: ExportOptions(externalData: .always))
    let data = try dataFile()
    #expect(try files() == ["m.onnx", data])
    let imported = try importModel(path: path("m.onnx"))
    let id = imported.model.graph.initializers[0]
    #expect(imported.model.graph[id].externalLocation == data)
    #expect(
      imported.model.graph[id].constant == original.graph[original.graph.initializers[0]].constant)
    #expect(imported.sourceFiles.count == 2)

    // Having come from a file of their own, weights go to one again; and not over the first.
    try exportModel(imported.model, to: path("n.onnx"))
    #expect(
      try files() == ["m.onnx", data, "n.onnx", data.replacing("m.onnx", with: "n.onnx")].sorted())
    try exportModel(
      imported.model, to: path("m.onnx"),
      options: ExportOptions(inPlace: true, sourceFiles: imported.sourceFiles))
    _ = try importModel(path: path("m.onnx"))
  }

  @Test func modelsBeyondTwoGibibytesNeedExternalData() throws {
    // A file with a hole takes no room, and is only mapped.
    let count = 600_000_000
    try #require(FileManager.default.createFile(atPath: path("weights"), contents: nil))
    try #require(truncate(path("weights"), count * 4) == 0)
    let tensor = WireMessage.tensor("w", [count])
      .block(13, WireMessage().text(1, "location").text(2, "weights")).integer(14, 1)
    let bytes = WireMessage.model(.graph([.relu], initializers: [tensor])).bytes
    try Data(bytes).write(to: URL(fileURLWithPath: path("m.onnx")))
    let model = try importModel(path: path("m.onnx")).model
    let error = #expect(throws: CompileError.self) {
      try exportModel(model, to: path("n.onnx"), options: ExportOptions(externalData: .never))
    }
    #expect(error?.kind == .usage)
    #expect(try files() == ["m.onnx", "weights"])
  }

  /// Elements begin at multiples of 64 bytes, many of them at a page.
  @Test func externalDataIsAligned() {
    let plan = ExternalDataPlan(modelName: "m.onnx", arena: MessageArena())
    let offsets = [300, 100, 300, 1 << 14, 300].map {
      plan.offset(for: Tensor(zeros: .float32, shape: [$0]))
    }
    #expect(offsets == [0, nil, 1216, 4096, 4096 + 65536])
  }

  @Test func smallTensorsStayInTheModel() throws {
    try exportModel(model(), to: path("m.onnx"), options: ExportOptions(externalData: .always))
    #expect(try files() == ["m.onnx"])
  }

  @Test func absentExternalDataCanBeAllowed() throws {
    try exportModel(
      model(count: 5000), to: path("m.onnx"), options: ExportOptions(externalData: .always))
    try FileManager.default.removeItem(atPath: path(dataFile()))
    let error = #expect(throws: CompileError.self) { try importModel(path: path("m.onnx")) }
    #expect(error?.kind == .inputOutput)
    #expect(error?.diagnostics.first?.location == .value("w"))
    let imported = try importModel(
      path: path("m.onnx"), options: ImportOptions(allowAbsentExternalData: true))
    #expect(imported.model.graph[imported.model.graph.initializers[0]].constant?.hasData == false)
    #expect(imported.warnings.count == 1)
  }

  /// Makes the model's data file something else, and returns the error of reading it.
  private func errorAfter(_ change: (String) throws -> Void) throws -> CompileError? {
    try exportModel(
      model(count: 5000), to: path("m.onnx"), options: ExportOptions(externalData: .always))
    try change(path(dataFile()))
    return #expect(throws: CompileError.self) { try importModel(path: path("m.onnx")) }
  }

  @Test func linksAreNotFollowed() throws {
    let manager = FileManager.default
    let symbolic = try errorAfter { data in
      try manager.moveItem(atPath: data, toPath: path("elsewhere"))
      try manager.createSymbolicLink(atPath: data, withDestinationPath: path("elsewhere"))
    }
    #expect(symbolic?.kind == .inputOutput)
    #expect(symbolic?.diagnostics.first?.notes.count == 1)
    try manager.removeItem(atPath: path(dataFile()))
    let hard = try errorAfter { data in try manager.linkItem(atPath: data, toPath: path("second")) }
    #expect(hard?.kind == .inputOutput)
  }

  @Test func shortDataIsRefused() throws {
    let error = try errorAfter { data in
      try Data(count: 100).write(to: URL(fileURLWithPath: data))
    }
    #expect(error?.kind == .malformed)
    #expect(error?.diagnostics.first?.location == .value("w"))
  }
}
