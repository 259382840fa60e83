// swift-tools-version: 6.1

import PackageDescription

// A package that uses prunec as a library, beside another one that has modules called `Runtime` and
// `Driver`.
let package = Package(
  name: "Client",
  dependencies: [
    .package(name: "prunec", path: "../.."),
    .package(path: "Neighbour"),
  ],
  targets: [
    .executableTarget(
      name: "Client",
      dependencies: [
        .product(name: "PrunecKit", package: "prunec"),
        .product(name: "Neighbour", package: "Neighbour"),
      ])
  ],
  swiftLanguageModes: [.v6]
)
