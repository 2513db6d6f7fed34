// swift-tools-version: 6.2
// The map of ftool: targets in the order of their layers. Imports go down only.

import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
  .treatAllWarnings(as: .error),
]

/// Bytes go through the product fifty times faster when it is optimised, and the tests move many.
let product =
  strict + [
    .strictMemorySafety(), .unsafeFlags(["-O"], .when(configuration: .debug)),
  ]

/// C that Swift cannot say, and vector kernels: optimised in debug builds too, so that tests are quick.
let fastC: [CSetting] = [.unsafeFlags(["-O3", "-Wall", "-Wextra", "-Werror"])]

let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "ftool",
  products: [.executable(name: "ftool", targets: ["ftool"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.4.0"),
  ],
  targets: [
    // 0: bytes, algebra, arithmetic, and the C that Swift cannot say
    .target(name: "CLinux", cSettings: fastC),
    .target(name: "CKernels", cSettings: fastC),
    .target(name: "BinaryCodec", dependencies: ["CKernels"], swiftSettings: product),
    .target(name: "ErasureCoding", dependencies: ["CKernels"], swiftSettings: product),
    .target(name: "RaidGeometry", swiftSettings: product),
    // 1: the kernel, and the bytes of its md driver
    .target(name: "LinuxSystem", dependencies: ["CLinux", systemPackage], swiftSettings: product),
    .target(name: "MDFormat", dependencies: ["BinaryCodec"], swiftSettings: product),
    // 2: numbered bytes that may fail
    .target(
      name: "BlockStorage", dependencies: ["LinuxSystem", systemPackage], swiftSettings: product),
    // 3: arrays
    .target(
      name: "Raid",
      dependencies: [
        "BlockStorage", "LinuxSystem", "MDFormat", "RaidGeometry", "ErasureCoding", "BinaryCodec",
        systemPackage,
      ],
      swiftSettings: product),
    // 5: the command line
    .target(
      name: "FToolCommands",
      dependencies: [
        "Raid", "BlockStorage", "LinuxSystem", "MDFormat", "RaidGeometry", "BinaryCodec",
        systemPackage, argumentParser,
      ],
      swiftSettings: product),
    // 6: the program
    .executableTarget(
      name: "ftool", dependencies: ["FToolCommands"],
      swiftSettings: product),

    // Tests, one target per module, and what they share
    .target(
      name: "FToolTestSupport",
      dependencies: ["BlockStorage", "LinuxSystem", systemPackage],
      path: "Tests/FToolTestSupport", swiftSettings: strict),
    .testTarget(
      name: "BinaryCodecTests", dependencies: ["BinaryCodec", "FToolTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "ErasureCodingTests", dependencies: ["ErasureCoding", "FToolTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "RaidGeometryTests", dependencies: ["RaidGeometry", "FToolTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "LinuxSystemTests",
      dependencies: ["LinuxSystem", "FToolTestSupport", systemPackage], swiftSettings: strict),
    .testTarget(
      name: "MDFormatTests",
      dependencies: ["MDFormat", "BinaryCodec", "LinuxSystem", "FToolTestSupport"],
      exclude: ["Fixtures"], swiftSettings: strict),
    .testTarget(
      name: "BlockStorageTests",
      dependencies: ["BlockStorage", "LinuxSystem", "FToolTestSupport", systemPackage],
      swiftSettings: strict),
    .testTarget(
      name: "RaidTests",
      dependencies: [
        "Raid", "BlockStorage", "LinuxSystem", "MDFormat", "RaidGeometry", "ErasureCoding",
        "BinaryCodec", "FToolTestSupport", systemPackage,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "FToolCommandsTests",
      dependencies: [
        "FToolCommands", "Raid", "BlockStorage", "LinuxSystem", "FToolTestSupport", systemPackage,
      ], swiftSettings: strict),
    .testTarget(
      name: "FToolEndToEndTests",
      dependencies: ["ftool", "FToolTestSupport", "LinuxSystem", "BinaryCodec", systemPackage],
      swiftSettings: strict),
    .testTarget(name: "TidyTests", dependencies: ["FToolTestSupport"], swiftSettings: strict),
    .executableTarget(
      name: "ftool-bench",
      dependencies: ["ErasureCoding", "BinaryCodec", "CKernels", "LinuxSystem"],
      path: "Tests/Benchmarks/KernelBenchmark", swiftSettings: strict),
    .executableTarget(
      name: "ftool-bench-small-writes",
      dependencies: ["Raid", "RaidGeometry", "BlockStorage", "LinuxSystem"],
      path: "Tests/Benchmarks/SmallWrites", swiftSettings: strict),
  ],
  cLanguageStandard: .gnu17
)

// libFuzzer bodies have no main, so they would break a plain build.
if Context.environment["FTOOL_FUZZ"] != nil {
  for (name, imports) in [
    "fuzz-superblock": ["MDFormat", "BinaryCodec"] as [Target.Dependency],
    "fuzz-bitmap": ["MDFormat", "BinaryCodec"],
    "fuzz-region-header": ["Raid", "BinaryCodec"],
  ] {
    package.targets.append(
      .executableTarget(
        name: name, dependencies: imports,
        path: "Tests/Fuzz/\(name.dropFirst("fuzz-".count))",
        swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
  }
}
