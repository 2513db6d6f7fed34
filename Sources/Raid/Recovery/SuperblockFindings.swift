import BinaryCodec
import BlockStorage
import MDFormat
import RaidGeometry

/// What the traces of superblocks say together.
struct SuperblockFindings {
  /// The newest trace of the array that most devices belong to.
  let reference: SuperblockTrace?
  /// By device: its best trace of that array.
  private(set) var best: [Int: SuperblockTrace] = [:]
  private(set) var notes: [String] = []

  init(_ traces: [SuperblockTrace], _ images: MemberImages, _ request: RecoveryRequest) {
    // The array of most devices; intact superblocks count more.
    var weights: [Identifier: Int] = [:]
    for device in images.present {
      var seen: [Identifier: Int] = [:]
      for trace in traces where trace.member == device {
        seen[trace.arrayID] = max(seen[trace.arrayID] ?? 0, trace.isIntact ? 3 : 1)
      }
      for (id, weight) in seen { weights[id, default: 0] += weight }
    }
    guard
      let id = weights.max(by: { ($0.value, $0.key.description) < ($1.value, $1.key.description) })?
        .key
    else {
      reference = nil
      return
    }
    func rank(_ trace: SuperblockTrace) -> (Int, Int, UInt64) {
      (trace.isIntact ? 1 : 0, trace.isInPlace ? 1 : 0, trace.events)
    }
    for trace in traces where trace.arrayID == id {
      if let known = best[trace.member], rank(known) >= rank(trace) { continue }
      best[trace.member] = trace
    }
    let intact = best.values.filter(\.isIntact)
    let pool = intact.isEmpty ? Array(best.values) : intact
    reference = pool.max { ($0.events, $1.member) < ($1.events, $0.member) }
    describe(images, traces, id)
  }

  private mutating func describe(
    _ images: MemberImages, _ traces: [SuperblockTrace], _ id: Identifier
  ) {
    for device in images.present {
      let name = images.devices[device]?.name ?? ""
      guard let trace = best[device] else {
        if traces.contains(where: { $0.member == device }) {
          notes.append("\(name) has superblocks of another array only")
        }
        continue
      }
      var text = "\(name) has a superblock of metadata \(trace.version.rawValue)"
      if !trace.isIntact { text += ", damaged" }
      if !trace.isInPlace { text += ", away from its place (at byte \(trace.offset))" }
      if let slot = trace.slot { text += ", slot \(slot)" }
      if let reference, trace.events + 1 < reference.events, trace.isIntact {
        text += ", stale: \(reference.events - trace.events) events behind"
      }
      notes.append(text)
    }
    if reference?.isReshaping == true {
      notes.append(
        "a reshape was running: only what has one shape can be read by an explicit layout")
    }
  }

  /// Whether what the caller says is another array than the superblocks'.
  func excludes(_ request: RecoveryRequest) -> Bool {
    guard let reference else { return true }
    if let level = request.level, level != reference.level.number { return true }
    if let chunk = request.chunkByteCount, chunk != reference.chunkByteCount { return true }
    if let count = request.slotCount, count != reference.slotCount { return true }
    if let layout = request.layout, layout != reference.layout { return true }
    return false
  }

  func narrow(_ request: inout RecoveryRequest) {
    guard let reference else { return }
    request.level = reference.level.number
    request.layout = reference.layout
    request.chunkByteCount = reference.chunkByteCount
    request.slotCount = reference.slotCount
    if request.memberByteCount == nil, !reference.level.usesWholeMembers {
      request.memberByteCount = reference.memberByteCount
    }
    if request.dataOffset == nil { request.dataOffset = reference.dataOffset }
  }

  /// By device: where its own superblock says its data starts.
  var dataOffsets: [Int: Int] { best.mapValues(\.dataOffset) }

  func isStale(_ device: Int) -> Bool {
    guard let reference, let trace = best[device], trace.isIntact else { return false }
    return trace.events + 1 < reference.events
  }

  /// One device for each slot: which, and where it is known to belong.
  ///
  /// - Parameter present: the devices that are there.
  func places(of present: [Int]) -> (devices: [Int?], fixed: [Int?]) {
    guard let reference else { return ([], []) }
    var holders = [Int?](repeating: nil, count: reference.slotCount)
    for (device, trace) in best.sorted(by: { $0.key < $1.key }) {
      guard let slot = trace.slot, slot < holders.count else { continue }
      if let other = holders[slot], let rival = best[other],
        (rival.isIntact ? 1 : 0, rival.events) >= (trace.isIntact ? 1 : 0, trace.events)
      {
        continue
      }
      holders[slot] = device
    }
    // Devices that say nothing may be in any slot that nobody claims; those that say "spare" are in none.
    var open = present.filter { !holders.contains($0) && best[$0] == nil }
    var devices: [Int?] = []
    var fixed: [Int?] = []
    for holder in holders {
      if let holder {
        fixed.append(devices.count)
        devices.append(holder)
      } else {
        fixed.append(nil)
        devices.append(open.isEmpty ? nil : open.removeFirst())
      }
    }
    // With no unknown device left the empty slots are just empty.
    if fixed.indices.allSatisfy({ fixed[$0] != nil || devices[$0] == nil }) {
      for slot in fixed.indices { fixed[slot] = slot }
    }
    return (devices, fixed)
  }
}
