// swift-tools-version:6.2
import PackageDescription

let package = Package(
  name: "forest",
  dependencies: [.package(name: "cutbank", path: "../..")],
  targets: [
    .executableTarget(
      name: "forest", dependencies: [.product(name: "RandomCutForest", package: "cutbank")])
  ]
)
