// swift-tools-version: 6.2
// The map of ftool: targets in the order of their layers. Imports go down only.

import Glibc
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
  .treatAllWarnings(as: .error),
]

/// Bytes go through the product fifty times faster when it is optimised, and the tests move many.
let optimised = strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]
let product = optimised + [.strictMemorySafety()]

/// C that Swift cannot say, and vector kernels: optimised in debug builds too, so that tests are quick.
let fastC: [CSetting] = [.unsafeFlags(["-O3", "-Wall", "-Wextra", "-Werror"])]

let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")

/// A compression library: the header that says that it is there, and whether we can do without.
struct CodecLibrary {
  let name: String
  let header: String
  var condition: String? = nil

  static let all = [
    CodecLibrary(name: "z", header: "zlib.h"),
    CodecLibrary(name: "zstd", header: "zstd.h", condition: "FTOOL_ZSTD"),
    CodecLibrary(name: "lz4", header: "lz4.h", condition: "FTOOL_LZ4"),
  ]

  /// What was found when the package was last described: after installing one that was missing,
  /// `swift package purge-cache` makes SwiftPM look again.
  static let found = all.filter { library in
    library.condition == nil
      || ["/usr/include", "/usr/local/include"].contains { exists("\($0)/\(library.header)") }
  }

  /// Into the program itself where the archive is installed, so that it runs where the library is not.
  var linkerSetting: LinkerSetting {
    let folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"]
    let machines = ["", "/x86_64-linux-gnu", "/aarch64-linux-gnu"]
    let hasArchive = folders.contains { folder in
      machines.contains { Self.exists("\(folder)\($0)/lib\(name).a") }
    }
    return .linkedLibrary(hasArchive ? ":lib\(name).a" : name)
  }

  private static func exists(_ path: String) -> Bool { access(path, R_OK) == 0 }
}

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
    .systemLibrary(name: "CZlib"),
    .systemLibrary(name: "CZstd"),
    .systemLibrary(name: "CLZ4"),
    .target(
      name: "Compression", dependencies: ["CZlib", "CZstd", "CLZ4"],
      swiftSettings: product + CodecLibrary.found.compactMap { $0.condition.map { .define($0) } },
      linkerSettings: CodecLibrary.found.map(\.linkerSetting)),
    // 1: the kernel, and the bytes of its md driver
    .target(name: "LinuxSystem", dependencies: ["CLinux", systemPackage], swiftSettings: product),
    .target(name: "MDFormat", dependencies: ["BinaryCodec"], swiftSettings: product),
    // 2: numbered bytes that may fail, and the container of images
    .target(
      name: "BlockStorage", dependencies: ["LinuxSystem", systemPackage], swiftSettings: product),
    .target(
      name: "CheckpointFormat",
      dependencies: ["BinaryCodec", "Compression", "LinuxSystem", systemPackage],
      swiftSettings: product),
    // 3: arrays
    .target(
      name: "Raid",
      dependencies: [
        "BlockStorage", "LinuxSystem", "MDFormat", "RaidGeometry", "ErasureCoding", "BinaryCodec",
        systemPackage,
      ],
      swiftSettings: product),
    // 3: processes
    .target(
      name: "Checkpointing",
      dependencies: [
        "CheckpointFormat", "Compression", "LinuxSystem", "BinaryCodec", systemPackage,
      ],
      swiftSettings: product),
    // 5: the command line
    .target(
      name: "FToolCommands",
      dependencies: [
        "Raid", "Checkpointing", "CheckpointFormat", "Compression", "BlockStorage", "LinuxSystem",
        "MDFormat", "RaidGeometry",
        "BinaryCodec", systemPackage, argumentParser,
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
      path: "Tests/FToolTestSupport", swiftSettings: optimised),
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
      name: "CompressionTests", dependencies: ["Compression", "BinaryCodec", "FToolTestSupport"],
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
      name: "CheckpointFormatTests",
      dependencies: [
        "CheckpointFormat", "Compression", "BinaryCodec", "LinuxSystem", "FToolTestSupport",
        systemPackage,
      ],
      exclude: ["Fixtures"], swiftSettings: strict),
    .testTarget(
      name: "RaidTests",
      dependencies: [
        "Raid", "BlockStorage", "LinuxSystem", "MDFormat", "RaidGeometry", "ErasureCoding",
        "BinaryCodec", "FToolTestSupport", systemPackage,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "CheckpointingTests",
      dependencies: [
        "Checkpointing", "CheckpointFormat", "LinuxSystem", "BinaryCodec", "FToolTestSupport",
        systemPackage,
      ],
      exclude: ["Programs"], swiftSettings: strict),
    .testTarget(
      name: "FToolCommandsTests",
      dependencies: [
        "FToolCommands", "Raid", "BlockStorage", "LinuxSystem", "FToolTestSupport", systemPackage,
      ], swiftSettings: strict),
    .testTarget(
      name: "FToolEndToEndTests",
      dependencies: ["ftool", "FToolTestSupport", "LinuxSystem", "BinaryCodec", systemPackage],
      exclude: ["Programs", "Scripts"],
      swiftSettings: strict),
    .testTarget(name: "TidyTests", dependencies: ["FToolTestSupport"], swiftSettings: strict),
    .target(
      name: "CrashSimulator",
      dependencies: [
        "Raid", "BlockStorage", "LinuxSystem", "MDFormat", "RaidGeometry", "BinaryCodec",
        "FToolTestSupport",
      ],
      path: "Tests/CrashSimulator/Simulator", swiftSettings: optimised),
    .testTarget(
      name: "CrashSimulatorTests", dependencies: ["CrashSimulator"], swiftSettings: strict),
    .executableTarget(
      name: "ftool-simulator", dependencies: ["CrashSimulator", "LinuxSystem"],
      path: "Tests/CrashSimulator/Program", swiftSettings: strict),
    .executableTarget(
      name: "ftool-bench",
      dependencies: ["ErasureCoding", "BinaryCodec", "CKernels", "LinuxSystem"],
      path: "Tests/Benchmarks/KernelBenchmark", swiftSettings: strict),
    .executableTarget(
      name: "ftool-bench-small-writes",
      dependencies: ["Raid", "RaidGeometry", "BlockStorage", "LinuxSystem"],
      path: "Tests/Benchmarks/SmallWrites", swiftSettings: strict),
    .executableTarget(
      name: "ftool-bench-image",
      dependencies: ["CheckpointFormat", "Compression", "BinaryCodec", "LinuxSystem"],
      path: "Tests/Benchmarks/Images", swiftSettings: strict),
  ],
  cLanguageStandard: .gnu17
)

// libFuzzer bodies have no main, so they would break a plain build.
if Context.environment["FTOOL_FUZZ"] != nil {
  for (name, imports) in [
    "fuzz-superblock": ["MDFormat", "BinaryCodec"] as [Target.Dependency],
    "fuzz-bitmap": ["MDFormat", "BinaryCodec"],
    "fuzz-region-header": ["Raid", "BinaryCodec"],
    "fuzz-image": ["CheckpointFormat", "LinuxSystem", "BinaryCodec"],
  ] {
    package.targets.append(
      .executableTarget(
        name: name, dependencies: imports,
        path: "Tests/Fuzz/\(name.dropFirst("fuzz-".count))",
        swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
  }
}
