// swift-tools-version: 6.1

import PackageDescription

// SwiftPM refuses two modules of one name anywhere among the packages of a build. So those of this
// package are called after it: `PrunecRuntime` is the folder Sources/Runtime, `CPrunecKernels` is
// Sources/CKernels.

let settings: [SwiftSetting] = [.enableUpcomingFeature("MemberImportVisibility")]

let argumentParser: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")

/// A module in Swift, and the modules that its files import.
func module(_ folder: String, in path: String? = nil, uses: [Target.Dependency]) -> Target {
  .target(
    name: "Prunec" + folder, dependencies: uses, path: path ?? "Sources/" + folder,
    swiftSettings: settings)
}

/// The tests of a module, in Tests.
func tests(_ name: String, uses: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: uses, swiftSettings: settings)
}

/// A command.
func command(_ name: String, uses: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: uses, swiftSettings: settings)
}

/// A C library of the system, which a Debian package provides.
func library(_ folder: String, _ name: String, pkgConfig: String, apt: String) -> Target {
  .systemLibrary(
    name: name, path: "Sources/" + folder, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let package = Package(
  name: "prunec",
  products: [
    .executable(name: "prunec", targets: ["prunec"]),
    .executable(name: "prunec-opt", targets: ["prunec-opt"]),
    .library(name: "PrunecKit", targets: ["PrunecKit"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    library("CProtobufC", "CPrunecProtobufC", pkgConfig: "libprotobuf-c", apt: "libprotobuf-c-dev"),
    library("CLibZip", "CPrunecLibZip", pkgConfig: "libzip", apt: "libzip-dev"),
    library("CPNG", "CPrunecPNG", pkgConfig: "libpng", apt: "libpng-dev"),
    library("CJPEG", "CPrunecJPEG", pkgConfig: "libjpeg", apt: "libjpeg62-turbo-dev"),
    .systemLibrary(name: "CPrunecMalloc", path: "Sources/CMalloc"),

    .target(
      name: "CPrunecImages", dependencies: ["CPrunecPNG", "CPrunecJPEG"], path: "Sources/CImages"),
    .target(
      name: "CPrunecONNX", dependencies: ["CPrunecProtobufC"], path: "Sources/CONNX",
      exclude: ["onnx.proto"]),
    .target(
      name: "CPrunecKernels", path: "Sources/CKernels",
      linkerSettings: [.linkedLibrary("m"), .linkedLibrary("pthread")]),
    .target(
      name: "CPrunecKernelChecks", dependencies: ["CPrunecKernels"], path: "Tests/KernelChecks"),

    module("Tensors", uses: []),
    module("LinearAlgebra", uses: []),
    module("GraphIR", uses: ["PrunecTensors"]),
    module("Files", uses: ["PrunecTensors", "PrunecGraphIR"]),
    module("ArrayFiles", uses: ["CPrunecLibZip", "PrunecTensors", "PrunecGraphIR", "PrunecFiles"]),
    module("ONNXText", uses: ["PrunecTensors", "PrunecGraphIR"]),
    module(
      "ONNXFormat",
      uses: ["CPrunecONNX", "CPrunecProtobufC", "PrunecTensors", "PrunecGraphIR", "PrunecFiles"]),
    module("Operators", uses: ["PrunecTensors", "PrunecGraphIR"]),
    module("Semantics", uses: ["PrunecTensors", "PrunecGraphIR", "PrunecOperators"]),
    module(
      "DataSets",
      uses: [
        "CPrunecImages", "PrunecTensors", "PrunecGraphIR", "PrunecArrayFiles", "PrunecONNXFormat",
        "PrunecOperators",
      ]),
    module(
      "Runtime",
      uses: [
        "CPrunecKernels", "PrunecTensors", "PrunecGraphIR", "PrunecOperators", "PrunecSemantics",
      ]),
    module(
      "Coupling", uses: ["PrunecTensors", "PrunecGraphIR", "PrunecOperators", "PrunecSemantics"]),
    module(
      "Calibration",
      uses: [
        "PrunecTensors", "PrunecLinearAlgebra", "PrunecGraphIR", "PrunecOperators",
        "PrunecSemantics", "PrunecRuntime", "PrunecCoupling",
      ]),
    module(
      "Selection",
      uses: [
        "PrunecTensors", "PrunecLinearAlgebra", "PrunecGraphIR", "PrunecOperators",
        "PrunecSemantics", "PrunecCoupling", "PrunecCalibration",
      ]),
    module(
      "PassKit",
      uses: [
        "PrunecTensors", "PrunecGraphIR", "PrunecFiles", "PrunecONNXFormat", "PrunecOperators",
        "PrunecSemantics", "PrunecRuntime", "PrunecCoupling", "PrunecCalibration",
        "PrunecSelection",
      ]),
    module(
      "Passes", in: "Passes",
      uses: [
        "PrunecTensors", "PrunecLinearAlgebra", "PrunecGraphIR", "PrunecOperators",
        "PrunecSemantics", "PrunecRuntime", "PrunecCoupling", "PrunecCalibration",
        "PrunecSelection", "PrunecPassKit",
      ]),
    module(
      "Driver",
      uses: [
        "PrunecTensors", "PrunecGraphIR", "PrunecFiles", "PrunecArrayFiles", "PrunecONNXFormat",
        "PrunecOperators", "PrunecSemantics", "PrunecDataSets", "PrunecRuntime", "PrunecCoupling",
        "PrunecCalibration", "PrunecSelection", "PrunecPassKit", "PrunecPasses",
      ]),
    module(
      "CommandLineSupport",
      uses: [
        argumentParser, "CPrunecMalloc", "PrunecTensors", "PrunecGraphIR", "PrunecFiles",
        "PrunecArrayFiles", "PrunecONNXText", "PrunecONNXFormat", "PrunecSemantics",
        "PrunecDataSets", "PrunecSelection", "PrunecPassKit", "PrunecPasses",
      ]),
    // Umbrella of the library product: one import offers all of its modules.
    .target(
      name: "PrunecKit",
      dependencies: [
        "PrunecTensors", "PrunecGraphIR", "PrunecFiles", "PrunecONNXText", "PrunecONNXFormat",
        "PrunecOperators", "PrunecSemantics", "PrunecDataSets", "PrunecRuntime", "PrunecCoupling",
        "PrunecCalibration", "PrunecSelection", "PrunecPassKit", "PrunecPasses", "PrunecDriver",
      ], swiftSettings: settings),

    command(
      "prunec",
      uses: [
        argumentParser, "PrunecTensors", "PrunecGraphIR", "PrunecFiles", "PrunecArrayFiles",
        "PrunecONNXFormat", "PrunecSemantics", "PrunecDataSets", "PrunecRuntime", "PrunecCoupling",
        "PrunecCalibration", "PrunecSelection", "PrunecPassKit", "PrunecPasses", "PrunecDriver",
        "PrunecCommandLineSupport",
      ]),
    command(
      "prunec-opt",
      uses: [
        argumentParser, "PrunecGraphIR", "PrunecFiles", "PrunecONNXText", "PrunecONNXFormat",
        "PrunecOperators", "PrunecPassKit", "PrunecPasses", "PrunecCommandLineSupport",
      ]),

    module(
      "TestSupport", in: "Tests/TestSupport",
      uses: [
        "PrunecTensors", "PrunecGraphIR", "PrunecONNXText", "PrunecONNXFormat", "PrunecOperators",
        "PrunecSemantics", "PrunecCoupling", "PrunecCalibration", "PrunecSelection",
        "PrunecPassKit", "PrunecPasses",
      ]),
    tests("CKernelsTests", uses: ["CPrunecKernelChecks", "CPrunecKernels"]),
    tests("TensorsTests", uses: ["PrunecTensors"]),
    tests("LinearAlgebraTests", uses: ["PrunecLinearAlgebra"]),
    tests(
      "GraphIRTests",
      uses: ["PrunecTensors", "PrunecGraphIR", "PrunecONNXText"]),
    tests(
      "ONNXTextTests",
      uses: ["PrunecTensors", "PrunecGraphIR", "PrunecONNXText", "PrunecTestSupport"]),
    tests("FilesTests", uses: ["PrunecGraphIR", "PrunecFiles"]),
    tests(
      "ONNXFormatTests",
      uses: ["PrunecTensors", "PrunecGraphIR", "PrunecFiles", "PrunecONNXFormat"]),
    tests("OperatorsTests", uses: ["PrunecTensors", "PrunecGraphIR", "PrunecOperators"]),
    tests(
      "SemanticsTests",
      uses: [
        "PrunecTensors", "PrunecGraphIR", "PrunecONNXText", "PrunecOperators", "PrunecSemantics",
      ]),
    tests(
      "DataSetsTests",
      uses: [
        "PrunecTensors", "PrunecGraphIR", "PrunecArrayFiles", "PrunecDataSets", "PrunecTestSupport",
      ]),
    tests(
      "RuntimeTests",
      uses: [
        "PrunecTensors", "PrunecGraphIR", "PrunecONNXText", "PrunecOperators", "PrunecSemantics",
        "PrunecRuntime", "PrunecTestSupport",
      ]),
    tests("CouplingTests", uses: ["PrunecGraphIR", "PrunecCoupling", "PrunecTestSupport"]),
    tests(
      "CalibrationTests",
      uses: [
        "PrunecTensors", "PrunecLinearAlgebra", "PrunecGraphIR", "PrunecONNXText",
        "PrunecSemantics", "PrunecCoupling", "PrunecCalibration", "PrunecTestSupport",
      ]),
    tests(
      "SelectionTests",
      uses: [
        "PrunecTensors", "PrunecGraphIR", "PrunecSemantics", "PrunecCoupling", "PrunecCalibration",
        "PrunecSelection", "PrunecPassKit", "PrunecPasses", "PrunecTestSupport",
      ]),
    tests(
      "PassKitTests",
      uses: [
        "PrunecTensors", "PrunecGraphIR", "PrunecONNXText", "PrunecOperators", "PrunecSemantics",
        "PrunecCoupling", "PrunecSelection", "PrunecPassKit", "PrunecPasses", "PrunecTestSupport",
      ]),
    tests(
      "PassesTests",
      uses: [
        "PrunecTensors", "PrunecGraphIR", "PrunecONNXText", "PrunecOperators", "PrunecSemantics",
        "PrunecCoupling", "PrunecCalibration", "PrunecSelection", "PrunecPassKit", "PrunecPasses",
        "PrunecTestSupport",
      ]),
    tests(
      "DriverTests",
      uses: [
        "PrunecTensors", "PrunecGraphIR", "PrunecONNXText", "PrunecONNXFormat", "PrunecSemantics",
        "PrunecCoupling", "PrunecCalibration", "PrunecSelection", "PrunecPassKit", "PrunecDriver",
        "PrunecTestSupport",
      ]),
    tests(
      "CommandLineSupportTests",
      uses: [argumentParser, "PrunecGraphIR", "PrunecDataSets", "PrunecCommandLineSupport"]),
  ],
  swiftLanguageModes: [.v6]
)

// SwiftPM compiles a target again when a module that it names has changed, not when one further down
// has, though the layout of types depends on those, too. So each target names all modules that it
// stands on.
var foundations: [String: Set<String>] = [:]
for target in package.targets {
  let used = target.dependencies.compactMap { dependency -> String? in
    if case .byNameItem(let name, _) = dependency { name } else { nil }
  }
  precondition(
    used.allSatisfy { foundations[$0] != nil }, "\(target.name) is listed before what it uses")
  let below = used.reduce(into: Set<String>()) { $0.formUnion(foundations[$1, default: []]) }
  target.dependencies += below.subtracting(used).sorted().map { .byName(name: $0) }
  foundations[target.name] = below.union(used).filter { $0.hasPrefix("Prunec") }
}
