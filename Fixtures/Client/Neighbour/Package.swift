// swift-tools-version: 6.1

import PackageDescription

let package = Package(
  name: "Neighbour",
  products: [.library(name: "Neighbour", targets: ["Runtime", "Driver"])],
  targets: [.target(name: "Runtime"), .target(name: "Driver")]
)
