import BlockStorage
import RaidGeometry

// How a lost layout is found, from the cheapest and surest finding to the weakest:
//
// 1. Superblocks, their copies and remains say it outright (SuperblockTrace).
// 2. What holds at equal offsets whatever the order tells the level: all equal, pairs equal, sum zero (RedundancyCensus).
//    With two parities one relation over GF(2^8) a row tells the order, the chunk and the layout as well (LinearRelation).
// 3. Neighbours are alike (Continuity). Along one member, continuity breaks at the size of a chunk (EdgeLevels). Between
//    members, the ends and starts of chunks fit for one order and layout (RowTables, LayoutTerms, OrderSearch). Tables of
//    pairs are made once for a chunk size, so that an order costs a few additions and none of it reading.
// 4. Blocks that say where they belong, archives, and filesystems that are read through the layout judge what is left
//    (ContentAnchors, ExtWalk, ArchiveWalk).
//
// Every finding is the logarithm of a ratio of probabilities, so they add. Nothing is ever written.

/// The search for the layout of an array.
package enum LayoutRecovery {
  /// Looks for the layouts that these devices may have as members of one array.
  ///
  /// - Parameters:
  ///   - devices: in any order; nil for a member that is known to be missing.
  ///   - progress: hears of bytes read; false stops the search.
  /// - Throws: `interrupted`; `noSuchMember` without any device.
  package static func search(
    _ devices: [(any BlockDevice)?], request: RecoveryRequest = RecoveryRequest(),
    progress: @escaping RecoveryProgress = { _ in true }
  ) throws(RaidError) -> RecoveryResult {
    guard devices.contains(where: { $0 != nil }) else { throw .notStartable(.noMembers) }
    var result = try layouts(of: devices, request, progress)
    guard result.isDecided, let best = result.candidates.first else { return result }
    let images = MemberImages(devices, progress: { progress(result.byteCountRead + $0) })
    result.agreement = try MemberAgreement(
      images, best, knowsEnd: best.evidence.contains { $0.kind == .superblock })
    result.byteCountRead += images.byteCountRead
    return result
  }

  private static func layouts(
    of devices: [(any BlockDevice)?], _ request: RecoveryRequest,
    _ progress: @escaping RecoveryProgress
  ) throws(RaidError) -> RecoveryResult {
    var devices = devices
    if let count = request.slotCount, count > devices.count, count <= 255 {
      devices += Array(repeating: nil, count: count - devices.count)
    }
    var request = request
    let images = MemberImages(devices, progress: progress)
    var notes: [String] = []
    if request.usesSuperblocks {
      let traces = try SuperblockTrace.find(images)
      let known = SuperblockFindings(traces, images, request)
      notes += known.notes
      if let reference = known.reference, !known.excludes(request) {
        // More slots than devices, or a spare among them: the search is for one device a slot.
        let places = known.places(of: images.present)
        let chosen = MemberImages(
          places.devices.map { $0.flatMap { devices[$0] } },
          progress: { count in
            progress(images.byteCountRead + count)
          })
        known.narrow(&request)
        var search = try RecoverySearch(chosen, request)
        search.fixed = places.fixed
        search.memberOffsets = places.devices.map { device in
          device.flatMap { known.dataOffsets[$0] } ?? reference.dataOffset
        }
        search.givenIndexes = places.devices
        search.known = known
        try search.run()
        var result = search.result(
          notes: notes, read: images.byteCountRead + chosen.byteCountRead)
        result.staleDevices =
          result.candidates.first?.order.compactMap { $0 }
          .filter(known.isStale) ?? []
        return result
      }
    }
    var search = try RecoverySearch(images, request)
    try search.run()
    return search.result(notes: notes, read: images.byteCountRead)
  }
}
