import FToolTestSupport
import MDFormat
import Raid
import RaidGeometry

extension Scenario {
  /// Gives the array another shape.
  func grow() throws {
    let array = try open(present)
    if array.array.shape.redundancy > 0, plan.version != .v1_0,
      Int.random(in: 0..<5, using: &random) == 0
    {
      lossLimit = array.array.shape.redundancy
      let larger = try array.array.resizedShape(nil, allowsShrinking: false)
      _ = try array.array.resize(to: larger, Self.oneWorker)
      return
    }
    let request = plan.growth(using: &random)
    let next = try array.array.reshapePlan(request, givenCount: 1)
    keptByteCount = min(geometry.byteCount, next.new.byteCount)
    lossLimit = next.isFirstStep ? 1 : min(array.array.shape.redundancy, next.new.redundancy)
    try grow(array, request)
    guard next.isFirstStep else { return }
    let second = try open(present)
    try second.array.beginReshape(try second.array.reshapePlan(request, givenCount: 0))
  }

  /// Moves the data a little to the front, so that there is room behind it, too, and the next reshape can go from
  /// the end to the start.
  func moveToFront() throws {
    for layout in [plan.otherLayout, plan.layout] {
      var request = ReshapeRequest()
      request.layout = layout
      try grow(try open(present), request)
    }
  }

  private func grow(_ array: RecordedArray, _ request: ReshapeRequest) throws {
    if request.slotCount ?? plan.slotCount > plan.slotCount {
      slots[newcomer] = plan.slotCount
      try array.array.addSpare(members[newcomer], isForReshape: true)
      present.append(newcomer)
      hasJoined.insert(newcomer)
    }
    try array.array.beginReshape(try array.array.reshapePlan(request, givenCount: 0))
    var options = RaidArray.Options()
    options.isWritable = true
    options.reshapes = true
    let reshaped = try RaidArray.open(present.map { members[$0] }, options: options)
    guard reshaped.isReshaping else { return }
    _ = try reshaped.continueReshape(Self.oneWorker)
  }
}

extension ArrayPlan {
  /// Another one with as many parities or copies.
  var otherLayout: UInt32 {
    guard level == .mirroredStripes else { return layout == 0 ? 2 : 0 }
    return layout == 0x102 ? 0x10201 : 0x102
  }

  /// What the array is to become.
  func growth(using random: inout SeededGenerator) -> ReshapeRequest {
    var request = ReshapeRequest()
    let otherChunk = chunkByteCount == 4096 ? 8192 : 4096
    let more = slotCount + 1
    switch level {
    case .striped: (request.level, request.slotCount) = (.singleParity, more)
    case .mirrored:
      let isPair = slotCount == 2
      switch Int.random(in: 0..<3, using: &random) {
      case 0 where isPair: (request.level, request.chunkByteCount) = (.singleParity, 4096)
      case 1 where isPair:
        (request.level, request.chunkByteCount) = (.singleParity, 8192)
        request.slotCount = more
      default: request.slotCount = more
      }
    case .dedicatedParity:
      if Bool.random(using: &random) { request.level = .singleParity }
      if request.level == nil || Bool.random(using: &random) { request.slotCount = more }
    case .erasureCoded(let parityCount):
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        (request.slotCount, request.allowsShrinking) = (slotCount - 1, true)
        request.level = .erasureCoded(parityCount: parityCount - 1)
      case 1:
        (request.slotCount, request.allowsShrinking) = (slotCount - 1, true)
      case 2:
        (request.slotCount, request.level) = (more, .erasureCoded(parityCount: parityCount + 1))
      default: request.slotCount = more
      }
    case .mirroredStripes:
      let way = Int.random(in: 0..<6, using: &random)
      if way < 4 { request.slotCount = more }
      if way % 2 == 1 { request.chunkByteCount = otherChunk }
      if way > 2 { request.layout = otherLayout }
    case .singleParity where slotCount == 4 && Int.random(in: 0..<4, using: &random) == 0:
      (request.slotCount, request.allowsShrinking) = (3, true)
    case .doubleParity where Int.random(in: 0..<4, using: &random) == 0:
      if slotCount == 5, Bool.random(using: &random) {
        (request.slotCount, request.allowsShrinking) = (4, true)
      } else {
        request.level = .singleParity
      }
    case .singleParity where layout <= 3 && Int.random(in: 0..<3, using: &random) == 0:
      (request.level, request.slotCount) = (.doubleParity, more)
      if Bool.random(using: &random) { request.chunkByteCount = otherChunk }
    default:
      switch Int.random(in: 0..<4, using: &random) {
      case 0: request.chunkByteCount = otherChunk
      case 1: request.layout = otherLayout
      case 2: request.slotCount = more
      default: (request.slotCount, request.chunkByteCount) = (more, otherChunk)
      }
    }
    return request
  }
}
