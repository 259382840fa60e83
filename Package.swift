// swift-tools-version: 6.1

import PackageDescription

/// The modules that stand on each other, lowest first.
let stack = [
  "Tensors", "GraphIR", "Operators", "Semantics", "Runtime", "Coupling", "Calibration", "Selection",
  "PassKit",
  "Passes",
  "Driver",
  "CommandLineSupport",
]

/// All modules of the stack below one. Each is named, not only the next: modules re-export what they
/// stand on, and the build has to notice when the layout of a type further down changes.
func layers(below module: String) -> [Target.Dependency] {
  stack.prefix { $0 != module }.map { .byName(name: $0) }
}

/// One test target for each module.
let tests: [Target] = (stack + ["LinearAlgebra", "ONNXText", "ONNXFormat", "DataSets"]).map {
  module in
  .testTarget(
    name: module + "Tests",
    dependencies: layers(below: "") + [
      "ArrayFiles", "DataSets", "LinearAlgebra", "ONNXText", "ONNXFormat", "TestSupport",
    ])
}

let package = Package(
  name: "prunec",
  products: [
    .executable(name: "prunec", targets: ["prunec"]),
    .executable(name: "prunec-opt", targets: ["prunec-opt"]),
    .library(
      name: "PrunecKit",
      targets: [
        "ArrayFiles", "DataSets", "GraphIR", "ONNXFormat", "ONNXText", "Semantics", "Runtime",
        "Coupling", "PassKit", "Passes", "Driver",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    .systemLibrary(
      name: "CProtobufC", pkgConfig: "libprotobuf-c",
      providers: [.apt(["libprotobuf-c-dev"])]),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(
      name: "CLibZip", pkgConfig: "libzip", providers: [.apt(["libzip-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(
      name: "CJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg62-turbo-dev"])]),
    .systemLibrary(name: "CMalloc"),
    .target(name: "CImages", dependencies: ["CPNG", "CJPEG"]),
    .target(name: "ArrayFiles", dependencies: ["CLibZip", "GraphIR", "Tensors"]),
    .target(name: "LinearAlgebra", dependencies: ["COpenBLAS"]),
    .target(name: "CONNX", dependencies: ["CProtobufC"], exclude: ["onnx.proto"]),
    .target(name: "CKernels", linkerSettings: [.linkedLibrary("m"), .linkedLibrary("pthread")]),

    .target(name: "Tensors"),
    .target(name: "GraphIR", dependencies: layers(below: "GraphIR")),
    .target(name: "ONNXText", dependencies: layers(below: "Operators")),
    .target(name: "ONNXFormat", dependencies: layers(below: "Operators") + ["CONNX"]),
    .target(name: "Operators", dependencies: layers(below: "Operators")),
    .target(name: "Semantics", dependencies: layers(below: "Semantics")),
    .target(
      name: "DataSets",
      dependencies: layers(below: "Runtime") + ["ArrayFiles", "CImages", "ONNXFormat"]),
    .target(name: "Runtime", dependencies: layers(below: "Runtime") + ["CKernels"]),
    .target(name: "Coupling", dependencies: layers(below: "Coupling")),
    .target(
      name: "Calibration", dependencies: layers(below: "Calibration") + ["LinearAlgebra"]),
    .target(
      name: "Selection", dependencies: layers(below: "Selection") + ["LinearAlgebra"]),
    .target(name: "PassKit", dependencies: layers(below: "PassKit") + ["ONNXFormat"]),
    .target(
      name: "Passes", dependencies: layers(below: "Passes") + ["LinearAlgebra"], path: "Passes"),
    .target(
      name: "Driver",
      dependencies: layers(below: "Driver") + ["ArrayFiles", "DataSets", "ONNXFormat"]),
    .target(
      name: "CommandLineSupport",
      dependencies: layers(below: "CommandLineSupport") + [
        "ArrayFiles", "CMalloc", "DataSets", "ONNXFormat", "ONNXText",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    .executableTarget(
      name: "prunec", dependencies: layers(below: "") + ["ArrayFiles", "DataSets"]),
    .executableTarget(name: "prunec-opt", dependencies: layers(below: "")),

    .target(
      name: "TestSupport", dependencies: layers(below: "") + ["ONNXText", "ONNXFormat"],
      path: "Tests/TestSupport"),
    .target(name: "KernelChecks", dependencies: ["CKernels"], path: "Tests/KernelChecks"),
    .testTarget(name: "CKernelsTests", dependencies: ["CKernels", "KernelChecks"]),
  ] + tests,
  swiftLanguageModes: [.v6]
)
