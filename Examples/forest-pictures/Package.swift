// swift-tools-version:6.2
import PackageDescription

let package = Package(
  name: "forest-pictures",
  dependencies: [.package(name: "cutbank", path: "../..")],
  targets: [
    .executableTarget(
      name: "pictures", dependencies: [.product(name: "RandomCutForest", package: "cutbank")])
  ]
)
