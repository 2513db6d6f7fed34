import FToolTestSupport
import Raid
import RaidGeometry

extension Scenario {
  /// Gives the array another shape.
  func grow() throws {
    let array = try open(present)
    let request = plan.growth(using: &random)
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
      request.slotCount = more
      if Bool.random(using: &random) { request.level = .erasureCoded(parityCount: parityCount + 1) }
    case .singleParity where layout <= 3 && Int.random(in: 0..<3, using: &random) == 0:
      (request.level, request.slotCount) = (.doubleParity, more)
      if Bool.random(using: &random) { request.chunkByteCount = otherChunk }
    default:
      switch Int.random(in: 0..<4, using: &random) {
      case 0: request.chunkByteCount = otherChunk
      case 1: request.layout = layout == 0 ? 2 : 0
      case 2: request.slotCount = more
      default: (request.slotCount, request.chunkByteCount) = (more, otherChunk)
      }
    }
    return request
  }
}
