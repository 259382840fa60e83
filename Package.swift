// swift-tools-version: 6.1

import PackageDescription

let package = Package(
  name: "prunec",
  products: [
    .executable(name: "prunec", targets: ["prunec"]),
    .executable(name: "prunec-opt", targets: ["prunec-opt"]),
    .library(
      name: "PrunecKit",
      targets: ["GraphIR", "ONNXFormat", "ONNXText", "Semantics", "Coupling", "PassKit", "Passes", "Driver"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
  ],
  targets: [
    .systemLibrary(
      name: "CProtobufC", pkgConfig: "libprotobuf-c",
      providers: [.apt(["libprotobuf-c-dev"])]),
    .target(name: "CONNX", dependencies: ["CProtobufC"], exclude: ["onnx.proto"]),

    .target(name: "Tensors"),
    .target(name: "GraphIR", dependencies: ["Tensors"]),
    .target(name: "ONNXText", dependencies: ["GraphIR"]),
    .target(name: "ONNXFormat", dependencies: ["GraphIR", "CONNX"]),
    .target(name: "Operators", dependencies: ["GraphIR"]),
    .target(name: "Semantics", dependencies: ["Operators"]),
    .target(name: "Coupling", dependencies: ["Semantics"]),
    .target(name: "Selection", dependencies: ["Coupling"]),
    .target(name: "PassKit", dependencies: ["Selection"]),
    .target(name: "Passes", dependencies: ["PassKit"], path: "Passes"),

    .target(name: "Driver", dependencies: ["Passes"]),
    .target(
      name: "CommandLineSupport",
      dependencies: [
        "Driver", "ONNXFormat", "ONNXText",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(name: "prunec", dependencies: ["CommandLineSupport"]),
    .executableTarget(name: "prunec-opt", dependencies: ["CommandLineSupport"]),

    .target(
      name: "TestSupport", dependencies: ["Passes", "ONNXText", "ONNXFormat"],
      path: "Tests/TestSupport"),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors"]),
    .testTarget(name: "GraphIRTests", dependencies: ["TestSupport"]),
    .testTarget(name: "OperatorsTests", dependencies: ["Operators"]),
    .testTarget(name: "SemanticsTests", dependencies: ["TestSupport"]),
    .testTarget(name: "CouplingTests", dependencies: ["TestSupport"]),
    .testTarget(name: "SelectionTests", dependencies: ["TestSupport"]),
    .testTarget(name: "PassKitTests", dependencies: ["TestSupport"]),
    .testTarget(name: "DriverTests", dependencies: ["Driver", "TestSupport"]),
    .testTarget(name: "ONNXTextTests", dependencies: ["TestSupport"]),
    .testTarget(name: "ONNXFormatTests", dependencies: ["ONNXFormat"]),
  ],
  swiftLanguageModes: [.v6]
)
