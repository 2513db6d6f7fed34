import SystemPackage

/// Which pages of a process exist, and where: PAGEMAP_SCAN of linux/fs.h (Linux 6.7).
package struct PageScan: ~Copyable, Sendable {
  private let file: OwnedDescriptor
  private let process: ProcessID

  /// What is known of a page.
  package struct Categories: OptionSet, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// It may be tracked for writes; it was written since the last scan.
    package static let trackable = Categories(rawValue: 1)
    package static let written = Categories(rawValue: 2)
    /// Its content is that of a file, or of memory that is shared.
    package static let file = Categories(rawValue: 4)
    package static let present = Categories(rawValue: 8)
    package static let swapped = Categories(rawValue: 16)
    /// It is the page of zeros that everybody shares.
    package static let zero = Categories(rawValue: 32)
    package static let huge = Categories(rawValue: 64)
    /// To touch it is an error (MADV_GUARD_INSTALL, Linux 6.13; unknown to older scans).
    package static let guarded = Categories(rawValue: 256)
  }

  /// Pages in a row that are alike.
  package struct Run: Equatable, Sendable {
    package var addresses: Range<UInt64>
    package var categories: Categories
  }

  /// Of a process that this one may trace.
  package init(of process: ProcessID) throws(SystemCallError) {
    self.process = process
    file = try OwnedDescriptor.open("\(process.folder)/pagemap", access: .readOnly)
  }

  /// The runs of pages within the addresses that have one of `wanted` and none of `excluded`; the categories
  /// named in either are told. A kernel that does not know guarded pages is asked without them.
  package func runs(
    in addresses: Range<UInt64>, wanted: Categories, excluded: Categories
  ) throws(SystemCallError) -> [Run] {
    var runs: [Run] = []
    var start = addresses.lowerBound
    while start < addresses.upperBound {
      let (found, end) = try firstRuns(
        in: start..<addresses.upperBound, wanted: wanted, excluded: excluded)
      runs += found
      start = end
    }
    return runs
  }

  /// The first of these runs, as many as are told at once, and the address up to which there are no others.
  package func firstRuns(
    in addresses: Range<UInt64>, wanted: Categories, excluded: Categories
  ) throws(SystemCallError) -> (runs: [Run], end: UInt64) {
    do throws(SystemCallError) {
      return try scan(addresses, wanted, excluded)
    } catch  where error.errno == .invalidArgument && wanted.union(excluded).contains(.guarded) {
      let rest = wanted.subtracting(.guarded)
      return rest.isEmpty
        ? ([], addresses.upperBound) : try scan(addresses, rest, excluded.subtracting(.guarded))
    }
  }

  private func scan(
    _ addresses: Range<UInt64>, _ wanted: Categories, _ excluded: Categories
  ) throws(SystemCallError) -> (runs: [Run], end: UInt64) {
    var regions = [UInt64](repeating: 0, count: 3 * Self.regionLimit)
    let subject = "process \(process)"
    let descriptor = Int(file.descriptor)
    var walked: UInt64 = 0
    let count = try withAddress(of: &regions) { (vector) throws(SystemCallError) in
      // struct pm_scan_arg
      var arguments: [UInt64] = [
        Self.argumentByteCount, 0, addresses.lowerBound, addresses.upperBound, 0, UInt64(vector),
        UInt64(Self.regionLimit), 0, excluded.rawValue, excluded.rawValue, wanted.rawValue,
        wanted.union(excluded).rawValue,
      ]
      let count = try withAddress(of: &arguments) { (address) throws(SystemCallError) in
        try kernelCall(
          .ioctl, "ioctl(PAGEMAP_SCAN)", on: subject, descriptor, Self.request, address)
      }
      walked = arguments[4]
      return count
    }
    var runs: [Run] = []
    for region in 0..<count where regions[3 * region] < regions[3 * region + 1] {
      runs.append(
        Run(
          addresses: regions[3 * region]..<regions[3 * region + 1],
          categories: Categories(rawValue: regions[3 * region + 2])))
    }
    // The kernel collects 512 runs at a time, and where it has told more than these it may name the end of the first
    // 512 as its own, though it went on (do_pagemap_scan in fs/proc/task_mmu.c): what it told is never told again.
    let end = max(walked, runs.last?.addresses.upperBound ?? 0)
    return (runs, end > addresses.lowerBound ? end : addresses.upperBound)
  }

  private static let regionLimit = 1024
  private static let argumentByteCount: UInt64 = 96
  /// _IOWR('f', 16, struct pm_scan_arg)
  private static let request = 3 << 30 | 96 << 16 | 0x66 << 8 | 16
}
