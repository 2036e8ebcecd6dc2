// swift-tools-version:6.2
import PackageDescription

/// Programs of others that do what `cutbank bench` measures; each folder's `run` prints the ratio.
let package = Package(
  name: "cutbank-benchmarks",
  targets: [
    .executableTarget(
      name: "json-foundation", path: "json/foundation",
      swiftSettings: [.treatAllWarnings(as: .error)])
  ],
  swiftLanguageModes: [.v6]
)
