// swift-tools-version:6.2
import PackageDescription

/// Settings of every target of ours: warnings are errors, imports are private unless said otherwise.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "cutbank",
  products: [
    .executable(name: "cutbank", targets: ["cutbank"]),
    .library(name: "Hotspots", targets: ["Hotspots"]),
    .library(name: "RandomCutForest", targets: ["RandomCutForest"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-crypto", "3.0.0"..<"5.0.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.90.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.30.0"),
  ],
  targets: [
    // Core: no Foundation, no async, no I/O, no clock.
    .target(name: "CKernels"),
    .target(name: "Columns", swiftSettings: strict),
    .target(
      name: "RandomCutForest", dependencies: ["CKernels"], swiftSettings: strict,
      // For square roots alone, which are exact everywhere.
      linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
    .systemLibrary(
      name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
    .target(name: "StreamSQL", dependencies: ["CPCRE2", "Columns"], swiftSettings: strict),
    .target(name: "Codecs", dependencies: ["Columns"], swiftSettings: strict),
    .target(name: "Hotspots", swiftSettings: strict),
    .target(
      name: "LearnedModels", dependencies: ["CKernels", "Columns", "RandomCutForest"],
      swiftSettings: strict),
    .target(
      name: "Dataflow",
      dependencies: ["Columns", "Hotspots", "LearnedModels", "RandomCutForest", "StreamSQL"],
      swiftSettings: strict),

    // Training of models: pure computation, which may use BLAS.
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .target(
      name: "Learning",
      dependencies: ["CKernels", "COpenBLAS", "Columns", "LearnedModels", "RandomCutForest"],
      swiftSettings: strict),

    // Programs with an input and what they must emit: `cutbank sql`, `cutbank test` and our own tests.
    .target(
      name: "SQLCases", dependencies: ["Codecs", "Columns", "Dataflow", "StreamSQL", "Yams"],
      swiftSettings: strict),

    // Applications of the original service become pipelines: `cutbank import`.
    .target(name: "Migration", dependencies: ["Codecs", "Yams"], swiftSettings: strict),

    // Rim: waits for brokers, disks and receivers.
    .systemLibrary(
      name: "CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
    .systemLibrary(
      name: "CDeflate", pkgConfig: "libdeflate", providers: [.apt(["libdeflate-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(name: "CMemory"),
    .target(name: "CSpawn"),
    .target(name: "Processes", dependencies: ["CSpawn"], swiftSettings: strict),
    .target(name: "CEmbeddedBroker"),
    .target(
      name: "Kafka",
      dependencies: [
        "CEmbeddedBroker", "CRdKafka", .product(name: "Logging", package: "swift-log"),
      ],
      // Lifetimes: keys and values are spans that cannot outlive their batch.
      swiftSettings: strict + [.enableExperimentalFeature("Lifetimes")]),
    .target(
      name: "Transport",
      dependencies: [
        "Columns",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .target(
      name: "Delivery",
      dependencies: [
        "CDeflate", "CZstd", "Columns", "Transport",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .target(
      name: "Alerting",
      dependencies: [
        "Columns", "Transport",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .target(
      name: "Registry",
      dependencies: [
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: strict),
    .target(
      name: "Engine",
      dependencies: [
        "Alerting", "CMemory", "Codecs", "Columns", "Dataflow", "Delivery", "Kafka",
        "LearnedModels", "Learning", "Processes", "Registry", "StreamSQL", "Transport", "Yams",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),

    .target(name: "CAllocationCounter"),
    // The loop that `cutbank bench pipeline` measures beside the pipelines.
    .target(name: "CBareLoop", dependencies: ["CRdKafka"]),
    .target(name: "Demo", dependencies: ["Columns", "RandomCutForest"], swiftSettings: strict),
    .executableTarget(
      name: "cutbank",
      dependencies: [
        "Alerting", "CAllocationCounter", "CBareLoop", "CMemory", "Codecs", "Columns", "Dataflow",
        "Delivery",
        "Demo", "Engine", "Kafka", "LearnedModels", "Learning", "Migration", "Processes",
        "RandomCutForest", "Registry", "SQLCases", "StreamSQL", "Transport",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      resources: [
        .embedInCode("Pipelines/city-taxi.yaml"), .embedInCode("Pipelines/city-taxi.sql"),
        .embedInCode("Pipelines/hotspots.yaml"), .embedInCode("Pipelines/hotspots.sql"),
        .embedInCode("Pipelines/taxi-models.yaml"), .embedInCode("Pipelines/taxi-models.sql"),
      ],
      swiftSettings: strict),

    .testTarget(name: "ColumnsTests", dependencies: ["Columns"], swiftSettings: strict),
    .testTarget(
      name: "DataflowTests",
      dependencies: [
        "Columns", "Dataflow", "LearnedModels", "RandomCutForest", "RimSupport", "SQLCases",
        "StreamSQL", "Transport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "LearnedModelsTests", dependencies: ["Columns", "LearnedModels", "RandomCutForest"],
      swiftSettings: strict),
    .testTarget(
      name: "LearningTests",
      dependencies: ["Columns", "LearnedModels", "Learning", "RandomCutForest"],
      swiftSettings: strict),
    .testTarget(
      name: "HotspotsTests", dependencies: ["Hotspots", "Processes"], swiftSettings: strict),
    .testTarget(name: "ProcessesTests", dependencies: ["Processes"], swiftSettings: strict),
    .testTarget(
      name: "StreamSQLTests", dependencies: ["Columns", "StreamSQL"], swiftSettings: strict),
    .testTarget(
      name: "RandomCutForestTests", dependencies: ["RandomCutForest"], swiftSettings: strict),
    .testTarget(name: "DemoTests", dependencies: ["Columns", "Demo"], swiftSettings: strict),
    .testTarget(
      name: "EngineTests",
      dependencies: [
        "Alerting", "Columns", "Dataflow", "Delivery", "Engine", "Kafka", "LearnedModels",
        "RandomCutForest", "Registry", "RimSupport", "Transport", "cutbank",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Logging", package: "swift-log"),
      ],
      exclude: ["Fixtures"], swiftSettings: strict),
    .testTarget(
      name: "SystemTests",
      dependencies: [
        "cutbank", "Delivery", "Demo", "Kafka", "Processes", "RimSupport", "Transport",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "MigrationTests", dependencies: ["Engine", "Migration", "SQLCases"],
      exclude: ["Fixtures"], swiftSettings: strict),
    .testTarget(name: "RegistryTests", dependencies: ["Registry"], swiftSettings: strict),
    // The whole engine over a simulated outside, on one thread: `make simulate`.
    .target(
      name: "Simulation",
      dependencies: [
        "Dataflow", "Delivery", "Engine", "Kafka", "RimSupport", "Transport",
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Tests/Simulation", swiftSettings: strict),
    .executableTarget(
      name: "simulate",
      dependencies: [
        "Simulation", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tests/simulate", swiftSettings: strict),
    .testTarget(
      name: "SimulationTests", dependencies: ["Processes", "Simulation", "simulate"],
      swiftSettings: strict),
    .testTarget(name: "TidyTests", swiftSettings: strict),
    .testTarget(
      name: "KafkaTests",
      dependencies: ["Kafka", "Processes", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict),
    .target(
      name: "RimSupport",
      dependencies: [
        "Dataflow", "Delivery", "Kafka", "Processes", "Transport",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      path: "Tests/RimSupport", swiftSettings: strict),
    .testTarget(
      name: "DeliveryTests", dependencies: ["Columns", "Delivery", "RimSupport", "Transport"],
      swiftSettings: strict),
    .testTarget(name: "CodecsTests", dependencies: ["Codecs", "Columns"], swiftSettings: strict),
    .testTarget(
      name: "TransportTests", dependencies: ["Processes", "RimSupport", "Transport"],
      swiftSettings: strict),
    .testTarget(
      name: "AlertingTests",
      dependencies: [
        "Alerting", "Columns", "Processes", "RimSupport", "Transport",
        .product(name: "Logging", package: "swift-log"),
      ],
      exclude: ["Fixtures"], swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
