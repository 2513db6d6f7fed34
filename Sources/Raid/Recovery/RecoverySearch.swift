import BinaryCodec
import BlockStorage
import ErasureCoding
import RaidGeometry

/// One search: the devices, what was learned of them, and the candidates so far.
struct RecoverySearch {
  let images: MemberImages
  let request: RecoveryRequest
  let book: SketchBook
  let anchors: ContentAnchors
  let offsets: DataOffsets
  /// By slot: the device that is known to be there.
  var fixed: [Int?]
  /// By device: its own data offset, where superblocks say one.
  var memberOffsets: [Int]?
  /// By device: its index among those that the caller gave.
  var givenIndexes: [Int?]
  var known: SuperblockFindings?

  private(set) var candidates: [RecoveryCandidate] = []
  private var census: RedundancyCensus
  private var notes: [String] = []
  private var levels: [Int: EdgeLevels] = [:]

  /// Findings of continuity come from pairs that resemble each other for the same reasons: they count less.
  private static let continuityShare = 0.25

  /// Redundancy that is wrong in most places: no other finding makes up for it.
  private static let contradiction = -1000.0

  init(_ images: MemberImages, _ request: RecoveryRequest) throws(RaidError) {
    self.images = images
    self.request = request
    anchors = try ContentAnchors(images, byteLimit: request.scanByteLimit / 2)
    book = SketchBook(images)
    try book.learn()
    offsets = DataOffsets(images, request, anchors, book)
    fixed = Array(repeating: nil, count: images.count)
    givenIndexes = images.devices.indices.map { images.devices[$0] == nil ? nil : $0 }
    let first = min(offsets.choices.map(\.offset).max() ?? 0, images.smallestByteCount / 4)
    census = try RedundancyCensus(
      book, in: max(first, offsets.choices.first?.offset ?? 0)..<max(first, usableEnd(images)))
    if census.placeCount < 4 {
      census = try RedundancyCensus(
        book, in: 0..<max(0, usableEnd(images)))
    }
    func usableEnd(_ images: MemberImages) -> Int {
      let size = images.smallestByteCount
      if let limit = request.memberByteCount, let offset = request.dataOffset {
        return min(size, offset.clampedAdding(limit))
      }
      return max(size / 2, size - (256 << 10))
    }
  }

  mutating func run() throws(RaidError) {
    if let known, let reference = known.reference, fixed.allSatisfy({ $0 != nil }) {
      addStated(reference, known)
    } else {
      for level in try plausibleLevels() { try enumerate(level) }
    }
    try finish()
  }

  // MARK: Which levels

  private mutating func plausibleLevels() throws(RaidError) -> [RaidLevel] {
    if let level = request.level {
      return RaidLevel(number: level, layout: request.layout ?? 0).map { [$0] } ?? []
    }
    let n = images.count
    let isWhole = images.present.count == n
    if n == 1 { return [.linear] }
    if images.present.count == 1 {
      notes.append("one member alone holds all of an array only if it is a copy")
      return [.mirrored]
    }
    if census.placeCount == 0 {
      notes.append("there is nothing but zeros on the members")
      return [.mirrored, .singleParity, .striped]
    }
    if census.allEqual, images.present.count > 1 {
      notes.append("the members are equal: copies of each other")
      return [.mirrored]
    }
    if isWhole, census.areEqualOften {
      notes.append("the members are equal in most places: copies, one of which may be out of date")
      return [.mirrored]
    }
    if isWhole, census.formsGroups(images.present) {
      notes.append("members are equal in pairs")
      return [.mirroredStripes]
    }
    if isWhole, census.sumsToZero {
      notes.append("the sum of all members is zero everywhere: one parity")
      return [.singleParity, .dedicatedParity]
    }
    var levels: [RaidLevel] = []
    let relationCount = try addDoubleParity()
    if !candidates.isEmpty {
      notes.append("members obey one relation in each row: two parities")
      return []
    }
    if relationCount >= 8 {
      notes.append(
        "members obey a relation in each row, so there are two parities, but no one layout fits all "
          + "rows: a reshape may have been interrupted")
      return [.doubleParity]
    }
    if let outsider = census.outsider, isWhole {
      notes.append(
        "the sum of all members but \(images.devices[outsider]?.name ?? "") is zero everywhere: "
          + "that one may be of another array, a spare, or a fixed second parity")
      if n >= 4 { try addFixedSecondParity(outsider) }
    }
    let absentCount = n - images.present.count
    if absentCount == 1 || isWhole && census.sumsToZeroOften {
      levels += [.singleParity, .dedicatedParity]
    }
    if (1...2).contains(absentCount), n >= 4 { levels.append(.doubleParity) }
    if isWhole { levels += [.striped, .linear] }
    levels.append(.mirroredStripes)
    return levels
  }

  // MARK: Candidates level by level

  private var chunks: [Int] {
    if let chunk = request.chunkByteCount {
      return chunk >= 4096 && chunk % 512 == 0 ? [chunk] : []
    }
    return (12...24).map { 1 << $0 }.filter { $0 * 2 <= images.smallestByteCount }
  }

  private mutating func enumerate(_ level: RaidLevel) throws(RaidError) {
    switch level {
    case .mirrored: try addMirrored()
    case .linear: try addLinear()
    case .striped: try addRows(level, layouts: [request.layout ?? 1], usesSum: false)
    case .dedicatedParity:
      try addRows(level, layouts: [request.layout ?? 0], usesSum: images.missing != nil)
    case .singleParity:
      // With fixed parity the order of slots alone makes the difference between 4 and 5, and level 4.
      let all: [UInt32] = request.level == nil ? [0, 1, 2, 3] : [0, 1, 2, 3, 5]
      try addRows(
        level, layouts: request.layout.map { [$0] } ?? all, usesSum: images.missing != nil)
    case .doubleParity:
      _ = try addDoubleParity()
      if candidates.isEmpty {
        try addRows(
          level, layouts: request.layout.map { [$0] } ?? [2, 0, 1, 3, 4, 5], usesSum: false)
      }
    case .mirroredStripes:
      let n = images.count
      let all: [UInt32] = [0x102, 0x201, 0x10201] + (n > 2 ? [0x103, 0x301, 0x10301] : [])
      try addRows(level, layouts: request.layout.map { [$0] } ?? all, usesSum: false)
    case .erasureCoded: break
    }
  }

  private func memberByteCounts(_ offset: Int, _ chunk: Int) -> [[Int]] {
    let sizes =
      request.memberByteCount.map { [$0] }
      ?? DataOffsets.memberByteCounts(
        deviceByteCount: images.smallestByteCount, dataOffset: offset, chunkByteCount: chunk)
    return sizes.map { Array(repeating: $0, count: images.count) }
  }

  /// For levels that use all of each member: its own size.
  private func wholeByteCounts(_ offset: Int) -> [Int] {
    (0..<images.count).map { member in
      request.memberByteCount
        ?? DataOffsets.memberByteCounts(
          deviceByteCount: images.byteCount(of: member),
          dataOffset: memberOffsets?[member] ?? offset, chunkByteCount: 0
        ).first ?? 0
    }
  }

  private func candidate(
    _ level: RaidLevel, _ layout: UInt32, _ chunk: Int, _ order: [Int],
    _ choice: DataOffsets.Choice,
    sizes: [Int]
  ) -> RecoveryCandidate? {
    let isWhole = level.usesWholeMembers
    guard
      let shape = try? ArrayShape(
        level: level, layout: layout, chunkByteCount: chunk, slotCount: images.count,
        memberByteCounts: isWhole ? order.map { sizes[$0] } : sizes),
      shape.byteCount > 0
    else { return nil }
    var candidate = RecoveryCandidate(
      shape: shape, order: order.map { images.devices[$0] == nil ? nil : $0 },
      dataOffsets: order.map { memberOffsets?[$0] ?? choice.offset })
    if choice.weight != 0 { candidate.note(.convention, choice.weight, choice.text) }
    return candidate
  }

  private mutating func edgeLevels(usesSum: Bool) throws(RaidError) -> EdgeLevels {
    let key = usesSum ? 1 : 0
    if let known = levels[key] { return known }
    let made = try EdgeLevels(
      book, dataOffsets: offsets.choices.map(\.offset),
      end: min(dataEnd, images.smallestByteCount - 65536), usesSum: usesSum)
    levels[key] = made
    return made
  }

  private mutating func addMirrored() throws(RaidError) {
    for choice in offsets.choices {
      guard let sizes = memberByteCounts(choice.offset, 0).first else { continue }
      let order = defaultOrder
      guard var made = candidate(.mirrored, 0, 0, order, choice, sizes: sizes) else { continue }
      if census.areEqualOften || census.allEqual, images.present.count > 1 {
        // Sparse parity equals its only data, too: copies that differ in most places are none.
        let share = Double(census.equalCount) / Double(max(1, census.placeCount))
        made.note(
          .copies, census.allEqual ? 60 : 60 * (share - 0.5),
          "all members are equal at \(census.equalCount) of \(census.placeCount) places")
      }
      made.equivalentCount = 1
      candidates.append(made)
    }
  }

  private var defaultOrder: [Int] {
    var free = images.devices.indices.filter { !fixed.contains($0) }
    return fixed.map { $0 ?? free.removeFirst() }
  }

  private mutating func addLinear() throws(RaidError) {
    let n = images.count
    for choice in offsets.choices.prefix(10) {
      let sizes = wholeByteCounts(choice.offset)
      var table = [Float](repeating: 0, count: n * n)
      for i in 0..<n {
        let last = (memberOffsets?[i] ?? choice.offset) + sizes[i] - MemberImages.blockByteCount
        guard let tail = book.sketch(i, at: last / 4096 * 4096, usesSum: false) else { continue }
        for j in 0..<n where j != i {
          if let head = book.sketch(j, at: memberOffsets?[j] ?? choice.offset, usesSum: false) {
            table[i * n + j] = Float(book.continuity.weight(tail.tail, head.head))
          }
        }
      }
      var terms = LayoutTerms(chain: n)
      if n == 1 { terms.relations = [] }
      let search = OrderSearch(
        memberCount: n, terms: terms,
        follows: table + [Float](repeating: 0, count: (LayoutTerms.rowDeltaCount - 1) * n * n),
        equals: [], zeros: [], rowCounts: [1])
      for found in search.best(n <= 5 ? 120 : 24, fixed: fixed) {
        guard
          var made = candidate(
            .linear, 0, request.chunkByteCount ?? 0, found.order, choice, sizes: sizes)
        else { continue }
        noteContinuity(&made, found, found.total)
        candidates.append(made)
      }
    }
  }

  private func noteContinuity(
    _ candidate: inout RecoveryCandidate, _ found: OrderSearch.Found, _ weight: Double
  ) {
    let share = Self.continuityShare * weight
    let isGood = share > 0
    candidate.note(
      .continuity, max(-1000, min(1000, share)),
      found.linkCount == 0
        ? "content goes on along the members"
        : isGood
          ? "content goes on from chunk to chunk (\(found.linkCount) edges)"
          : "content hardly goes on from chunk to chunk (\(found.linkCount) edges)")
  }

  private mutating func addRows(
    _ level: RaidLevel, layouts: [UInt32], usesSum: Bool
  ) throws(RaidError) {
    let compares = level == .mirroredStripes
    for chunk in chunks {
      var byBase: [Int: [DataOffsets.Choice]] = [:]
      for choice in offsets.choices { byBase[choice.offset % chunk, default: []].append(choice) }
      for (base, choices) in byBase.sorted(by: { $0.key < $1.key }) {
        let tables = try RowTables(
          book, chunkByteCount: chunk, base: base, first: choices.map(\.offset).min() ?? 0,
          end: min(images.smallestByteCount, dataEnd), usesSum: usesSum, compares: compares)
        guard !tables.rows.isEmpty else { continue }
        for layout in layouts {
          try addRows(level, layout, tables, choices, usesSum: usesSum)
        }
      }
      trim()
    }
  }

  private var dataEnd: Int {
    guard let size = request.memberByteCount, let offset = request.dataOffset else { return .max }
    return offset.clampedAdding(size)
  }

  private mutating func addRows(
    _ level: RaidLevel, _ layout: UInt32, _ tables: RowTables, _ choices: [DataOffsets.Choice],
    usesSum: Bool
  ) throws(RaidError) {
    let chunk = tables.chunkByteCount
    let n = images.count
    let period = 64 * chunk
    guard
      let sample = try? ArrayShape(
        level: level, layout: layout, chunkByteCount: chunk, slotCount: n,
        memberByteCounts: Array(repeating: period, count: n))
    else { return }
    let terms = LayoutTerms(sample)
    let levels = try edgeLevels(usesSum: usesSum)
    var byPhase: [Int: [OrderSearch.Found]] = [:]
    for choice in choices {
      try images.checkStop()
      let firstRow = (choice.offset - tables.base) / chunk
      let phase = firstRow % terms.period
      for (number, sizes) in memberByteCounts(choice.offset, chunk).enumerated() {
        let isFar = !terms.farPairs.isEmpty
        if number > 0, !isFar { break }
        let founds: [OrderSearch.Found]
        if !isFar, let known = byPhase[phase] {
          founds = known
        } else {
          let far = Int(layout >> 8 & 0xff)
          var search = tables.sums(
            terms, firstRow: firstRow,
            rowCount: isFar ? (sizes.first ?? 0) / chunk / far : .max)
          if isFar {
            search = search.addFar(
              farTable(choice.offset, chunk, far, sizes[0]), terms.farPairs)
          }
          if level == .mirroredStripes, layout & 0x1ff00 == 0x100 {
            search.setGroups(of: Int(layout & 0xff))
          }
          founds = search.best(4, fixed: fixed)
          if !isFar { byPhase[phase] = founds }
        }
        for found in founds {
          let whole = level.usesWholeMembers ? wholeByteCounts(choice.offset) : sizes
          guard var made = candidate(level, layout, chunk, found.order, choice, sizes: whole) else {
            continue
          }
          noteContinuity(
            &made, found,
            levels.weight(
              chunkByteCount: chunk, dataOffset: choice.offset, linkMean: found.carefulMean))
          noteRedundancy(&made, found)
          candidates.append(made)
        }
      }
    }
  }

  private func noteRedundancy(_ candidate: inout RecoveryCandidate, _ found: OrderSearch.Found) {
    switch candidate.shape.level {
    case .mirroredStripes where found.other != 0:
      let weight = max(-200, min(80, found.other / 2))
      candidate.note(
        .copies, weight,
        weight > 0
          ? "chunks that are to be copies are equal" : "chunks that are to be copies differ")
    case .singleParity, .dedicatedParity:
      if found.other < 0 {
        candidate.note(
          .parity, max(-60, found.other * Self.continuityShare),
          "chunks that are to be parity are zero where others are not")
      }
      if images.present.count == images.count, census.sumsToZeroOften {
        candidate.note(
          .parity, census.sumsToZero ? 60 : census.sumsToZeroMostly ? 20 : Self.contradiction,
          "the sum of all members is zero at \(census.zeroSumCount) of \(census.placeCount) places")
      }
    case .striped where census.sumsToZeroOften:
      candidate.note(
        .parity, -30,
        "the sum of all members is zero at \(census.zeroSumCount) of \(census.placeCount) places, "
          + "which without parity is no chance")
    default: break
    }
  }

  /// By pair: whether the second copy of the first one's chunks is on the second one.
  private func farTable(_ offset: Int, _ chunk: Int, _ far: Int, _ size: Int) -> [Float] {
    let n = images.count
    var table = [Float](repeating: 0, count: n * n)
    let stride = size / chunk / far
    guard stride > 0 else { return table }
    let marks = book.landmarks.filter { $0 >= offset && $0 < offset + stride * chunk - 4096 }
    let step = max(1, marks.count / 24)
    for index in Swift.stride(from: 0, to: marks.count, by: step) {
      let mark = marks[index] - (marks[index] - offset) % 4096
      for i in 0..<n {
        guard let a = book.sketch(i, at: mark, usesSum: false) else { continue }
        for j in 0..<n {
          guard let b = book.sketch(j, at: mark + stride * chunk, usesSum: false) else { continue }
          table[i * n + j] += a.identity == b.identity ? (a.isZero ? 0 : 4) : -12
        }
      }
    }
    return table
  }

  // MARK: Two parities

  /// - Returns: the relations found, and which member was left out.
  private func relations() throws(RaidError) -> ([LinearRelation], absent: Int) {
    let marks = book.landmarks
    // Some everywhere, and some one after the other, where edges of small chunks show.
    var places = Set(
      stride(from: 0, to: marks.count, by: max(1, marks.count / 160)).map { marks[$0] })
    if let first = marks.first(where: { $0 >= 1 << 20 }) {
      for step in 0..<96 { places.insert(first + step * 4096) }
    }
    let absents = images.missing.map { [$0] } ?? [images.count - 1, 0]
    var found: [LinearRelation] = []
    for absent in absents {
      found = []
      var freeCount = 0
      for place in places.sorted() {
        try images.checkStop()
        switch LinearRelation.find(images, at: place, leavingOut: absent) {
        case .relation(let relation): found.append(relation)
        case .none: freeCount += 1
        case .unclear: break
        }
      }
      // Sparse rows of one parity have relations, too; but with two parities all rows have one.
      if freeCount * 5 > found.count { found = [] }
      // Without a Q that is always on one member nothing but sums are left.
      if found.contains(where: { !$0.isUniform }) { return (found, absent) }
    }
    return (found, absents[0])
  }

  /// - Returns: at how many places the members obey a relation that only two parities make.
  private mutating func addDoubleParity() throws(RaidError) -> Int {
    let n = images.count
    guard n >= 4, images.present.count >= n - 1 else { return 0 }
    let (found, absentMember) = try relations()
    let relationCount = found.count { !$0.isUniform }
    guard found.count >= 3 else { return relationCount }
    var tables: [[Int]: RowTables] = [:]
    let all = ParityRotation.allCases.map(\.rawValue).filter { request.level != nil || $0 != 4 }
    for layout in request.layout.map({ [$0] }) ?? all {
      guard let rotation = ParityRotation(rawValue: layout) else { continue }
      let pattern = ParityPlacement(
        slotCount: n, parityCount: 2, chunkByteCount: 4096, rowCount: 1, rotation: rotation)
      for absentSlot in 0..<n {
        if let slot = fixed.firstIndex(of: absentMember), slot != absentSlot { continue }
        let expected = (0..<pattern.patternCount).map {
          LinearRelation.expected(pattern.pattern(ofRow: $0), leavingOut: absentSlot)
        }
        for chunk in chunks {
          var matches: [[Int]: [(order: [Int], count: Int, total: Int)]] = [:]
          for choice in offsets.choices {
            let key = [choice.offset % chunk, choice.offset / chunk % pattern.patternCount]
            let hits =
              matches[key]
              ?? match(found, expected, chunk, choice.offset, absentSlot, absentMember)
            matches[key] = hits
            guard !hits.isEmpty else { continue }
            let place = [chunk, choice.offset % chunk]
            if tables[place] == nil {
              tables[place] = try RowTables(
                book, chunkByteCount: chunk, base: choice.offset % chunk, first: choice.offset,
                end: min(images.smallestByteCount, dataEnd), usesSum: false, compares: false)
            }
            for hit in hits { try addDouble(layout, chunk, choice, hit, tables[place]) }
          }
        }
      }
    }
    return relationCount
  }

  /// Levels with Q on the last slot: all others are like a RAID 5.
  private mutating func addFixedSecondParity(_ member: Int) throws(RaidError) {
    guard fixed.allSatisfy({ $0 == nil }) else { return }
    fixed[images.count - 1] = member
    let first = candidates.count
    try addRows(.doubleParity, layouts: [18, 16, 17, 19, 5], usesSum: false)
    for index in candidates.indices.dropFirst(first) {
      candidates[index].note(
        .parity, 40, "the sum of all members but the last is zero nearly everywhere")
    }
    fixed[images.count - 1] = nil
  }

  private func match(
    _ relations: [LinearRelation], _ expected: [[UInt8]], _ chunk: Int, _ offset: Int,
    _ absentSlot: Int, _ absentMember: Int
  ) -> [(order: [Int], count: Int, total: Int)] {
    func rowClass(_ relation: LinearRelation) -> Int {
      let row =
        (relation.offset - offset) >= 0
        ? (relation.offset - offset) / chunk : -((offset - relation.offset + chunk - 1) / chunk)
      return ((row % expected.count) + expected.count) % expected.count
    }
    var tried: Set<[Int]> = []
    var hits: [(order: [Int], count: Int, total: Int)] = []
    let step = max(1, relations.count / 12)
    for index in stride(from: 0, to: relations.count, by: step) {
      let seed = relations[index]
      let orders = seed.orders(
        expected[rowClass(seed)], absentSlot: absentSlot, absentMember: absentMember)
      for order in orders where tried.insert(order).inserted {
        if fixed.enumerated().contains(where: { $1 != nil && order[$0] != $1 }) { continue }
        var count = 0
        var total = 0
        for relation in relations where relation.offset >= offset {
          total += 1
          if relation.matches(expected[rowClass(relation)], order: order) { count += 1 }
          if total == 8, count < 4 { break }
        }
        if total >= 3, count * 10 >= total * 8 { hits.append((order, count, total)) }
      }
    }
    return hits
  }

  private mutating func addDouble(
    _ layout: UInt32, _ chunk: Int, _ choice: DataOffsets.Choice,
    _ hit: (order: [Int], count: Int, total: Int), _ tables: RowTables?
  ) throws(RaidError) {
    guard let sizes = memberByteCounts(choice.offset, chunk).first else { return }
    guard var made = candidate(.doubleParity, layout, chunk, hit.order, choice, sizes: sizes) else {
      return
    }
    if let tables {
      // Parity tells all but the order of data within a row: of that, and nothing else, this is a sign.
      let links = tables.sums(
        LayoutTerms(made.shape), firstRow: (choice.offset - tables.base) / chunk
      ).evaluate(hit.order)
      noteContinuity(
        &made, links, max(-160, min(160, links.linkMean * Double(links.linkCount) / 2)))
    }
    made.note(
      .parity, min(150, 4 * Double(hit.count)) - 12 * Double(hit.total - hit.count),
      "P and Q agree at \(hit.count) of \(hit.total) places")
    candidates.append(made)
  }

  // MARK: What superblocks say

  private mutating func addStated(_ reference: SuperblockTrace, _ known: SuperblockFindings) {
    let order = fixed.map { $0 ?? 0 }
    let sizes = order.map { device in
      givenIndexes[device].flatMap { known.best[$0] }?.memberByteCount ?? reference.memberByteCount
    }
    let choice = DataOffsets.Choice(offset: reference.dataOffset, weight: 0, text: "")
    guard
      var made = candidate(
        reference.level, reference.layout, reference.chunkByteCount, order, choice,
        sizes: reference.level.usesWholeMembers
          ? sizes : Array(repeating: reference.memberByteCount, count: order.count))
    else { return }
    let whole = known.best.values.count { $0.isIntact }
    made.note(
      .superblock, 20 + 10 * Double(whole) + 3 * Double(known.best.count - whole),
      "\(known.best.count) members have superblocks of the array, \(whole) of them undamaged")
    let stale = made.order.indices.filter { slot in
      made.order[slot].flatMap { givenIndexes[$0] }.map { known.isStale($0) } ?? false
    }
    if !stale.isEmpty {
      var without = made
      for slot in stale { without.order[slot] = nil }
      // md never uses such a member; that its parity agrees nearly everywhere proves nothing.
      if without.shape.survives(present: without.order.map { $0 != nil }) {
        without.note(
          .superblock, 150, "members that missed the last changes are left out: \(stale.count)")
        candidates.append(without)
      }
    }
    candidates.append(made)
  }

  // MARK: The end

  /// Keeps the best, so that memory is bounded whatever there is.
  private mutating func trim() {
    guard candidates.count > 4000 else { return }
    candidates.sort { $0.score > $1.score }
    candidates.removeLast(candidates.count - 1000)
  }

  private mutating func finish() throws(RaidError) {
    for index in candidates.indices {
      if index % 64 == 0 { try images.checkStop() }
      if known?.reference != nil, candidates[index].evidence.allSatisfy({ $0.kind != .superblock })
      {
        candidates[index].note(
          .superblock, 20, "superblocks of \(known?.best.count ?? 0) members say so")
      }
      noteHabits(&candidates[index])
      anchors.judge(&candidates[index], images)
    }
    candidates.sort { $0.score > $1.score }
    if candidates.count > 200 { candidates.removeLast(candidates.count - 200) }
    for index in candidates.indices {
      try images.checkStop()
      noteOrigin(&candidates[index])
    }
    candidates.sort { $0.score > $1.score }
    for index in candidates.indices.prefix(48) {
      try images.checkStop()
      walk(&candidates[index])
    }
    candidates.sort { $0.score > $1.score }
    try checkParities()
    try merge()
    rate()
  }

  /// The best ones' parities, and on until the one that is best then has been checked, too.
  private mutating func checkParities() throws(RaidError) {
    var checkedCount = 0
    while checkedCount < candidates.count {
      // Checked ones sink or rise; those that were not keep their order.
      let batch = candidates.indices.filter { !candidates[$0].isParityChecked }.prefix(48)
      for index in batch where isParity(candidates[index].shape) {
        try images.checkStop()
        checkParity(&candidates[index])
      }
      for index in batch { candidates[index].isParityChecked = true }
      checkedCount += batch.count
      candidates.sort { $0.score > $1.score }
      if candidates[0].isParityChecked { return }
    }
  }

  private func isParity(_ shape: ArrayShape) -> Bool {
    if case .parity = shape.placement { true } else { false }
  }

  private func noteHabits(_ candidate: inout RecoveryCandidate) {
    guard request.level == nil || request.chunkByteCount == nil || request.layout == nil else {
      return
    }
    var weight = 0.0
    switch candidate.shape.chunkByteCount {
    case 512 << 10: weight += 1.5
    case 64 << 10: weight += 1
    case 128 << 10, 256 << 10: weight += 0.5
    default: break
    }
    switch (candidate.shape.level, candidate.shape.layout) {
    case (.singleParity, 2), (.doubleParity, 2): weight += 2
    case (.mirroredStripes, 0x102): weight += 1.5
    default: break
    }
    if weight > 0 { candidate.note(.convention, weight, "chunk and layout are usual ones") }
  }

  /// Whether content begins where the array would.
  private func noteOrigin(_ candidate: inout RecoveryCandidate) {
    guard let offset = candidate.dataOffsets.first, request.dataOffset == nil else { return }
    let reader = CandidateReader(images, candidate)
    guard let first = reader.bytes(0..<min(4096, candidate.shape.byteCount)) else { return }
    // Superblock, bitmap and logs may fill the first MiB; data of an array without them starts there.
    let metadata = offset > 1200 << 10 ? 1200 << 10 : 160 << 10
    let before = [4096, 16384, 65536].contains { distance in
      offset - distance >= metadata
        && images.present.contains {
          book.sketch($0, at: (offset - distance) / 4096 * 4096, usesSum: false)?.isZero == false
        }
    }
    let left = book.landmarks.count { $0 >= metadata && $0 < offset }
    let startsAtOnce = images.present.contains {
      book.sketch($0, at: 0, usesSum: false)?.isZero == false
    }
    if before || left >= 2 {
      candidate.note(.origin, -6, "there is content in front of where the data would start")
    } else if startsAtOnce, known?.reference == nil {
      candidate.note(
        .origin, offset == 0 ? 4 : -4,
        offset == 0
          ? "content begins where the members begin"
          : "there is content at the start of the members, in front of the data")
    } else if first.isAllZero {
      let more = reader.bytes(0..<min(65536, candidate.shape.byteCount))
      if more?.isAllZero ?? true {
        candidate.note(.origin, -3, "the array would begin with zeros")
      } else {
        candidate.note(.origin, -1, "the array would begin with some zeros")
      }
    } else {
      candidate.note(.origin, 4, "content begins where the array would begin")
    }
  }

  private func walk(_ candidate: inout RecoveryCandidate) {
    let reader = CandidateReader(images, candidate)
    var starts = [0]
    for found in anchors.groups where found.kind == "ext" {
      for anchor in found.anchors where anchor.stated == 1024 {
        if let offset = reader.arrayOffset(ofDevice: anchor.member, at: anchor.offset) {
          starts.append(offset - 1024)
        }
      }
    }
    for start in Set(starts.filter { $0 >= 0 }).sorted().prefix(4) {
      guard let walk = ExtWalk(reader, start: start) else { continue }
      let right = Double(walk.foldersRight)
      let wrong = Double(walk.foldersWrong)
      candidate.note(
        .filesystem, max(-60, min(120, 8 * right - 6 * wrong)),
        "\(walk.foldersRight) of \(walk.foldersRight + walk.foldersWrong) ext folders are where "
          + "their inodes say")
      if walk.copiesRight + walk.copiesWrong > 0 {
        candidate.note(
          .filesystem,
          max(-30, min(60, 6 * Double(walk.copiesRight) - 4 * Double(walk.copiesWrong))),
          "\(walk.copiesRight) of \(walk.copiesRight + walk.copiesWrong) copies of the ext "
            + "superblock are in their places")
      }
      break
    }
    if let archive = ArchiveWalk(reader) {
      candidate.note(
        .sequence, min(60, 2 * Double(archive.headerCount)) - 15 * Double(archive.breaks),
        "a tar archive begins the array: \(archive.headerCount) headers follow each other"
          + (archive.breaks > 0 ? ", then it breaks" : ""))
    }
  }

  /// Computes parities anew at some places.
  private func checkParity(_ candidate: inout RecoveryCandidate) {
    guard case .parity(let parity) = candidate.shape.placement,
      !candidate.order.contains(where: { $0 == nil }),
      parity.parityCount > 1 || known?.reference != nil
    else { return }
    let code = ErasureCode(parityCount: parity.parityCount)
    var right = 0
    var total = 0
    let first = candidate.dataOffsets[0]
    let marks = book.landmarks.filter {
      $0 >= first && $0 - first + 4096 <= parity.rowCount * parity.chunkByteCount
    }
    for index in stride(from: 0, to: marks.count, by: max(1, marks.count / 48)) {
      let inside = (marks[index] - first) / 4096 * 4096
      let pattern = parity.pattern(ofRow: inside / parity.chunkByteCount)
      var blocks: [[UInt8]] = []
      for (slot, device) in candidate.order.enumerated() {
        guard let device, let block = images.block(device, at: candidate.dataOffsets[slot] + inside)
        else { break }
        blocks.append(block)
      }
      guard blocks.count == candidate.order.count else { continue }
      total += 1
      let plan = code.encoding(
        positions: pattern.codePositions, parities: Array(0..<parity.parityCount))
      var buffer =
        pattern.dataSlots.flatMap { blocks[$0] }
        + [UInt8](repeating: 0, count: 4096 * parity.parityCount)
      let sources = pattern.dataSlots.indices.map { $0 * 4096 }
      let outputs = (0..<parity.parityCount).map { (pattern.dataSlots.count + $0) * 4096 }
      buffer.withMutableRawBytes { bytes in
        plan.apply(in: &bytes, sources: sources.span, outputs: outputs.span, byteCount: 4096)
      }
      let isRight = pattern.paritySlots.enumerated().allSatisfy { index, slot in
        Array(buffer[outputs[index]..<outputs[index] + 4096]) == blocks[slot]
      }
      if isRight { right += 1 }
    }
    guard total > 0 else { return }
    // Where superblocks say the layout, parity may never have been computed.
    let isContradicted = known?.reference == nil && total >= 8 && right * 2 < total
    candidate.note(
      .parity,
      isContradicted
        ? Self.contradiction : max(-40, min(40, 2 * Double(right) - 4 * Double(total - right))),
      "parity computed anew is right at \(right) of \(total) places")
  }

  /// Candidates that read the same are one.
  private mutating func merge() throws(RaidError) {
    guard let best = candidates.first else { return }
    var kept = [best]
    let reader = CandidateReader(images, best)
    for candidate in candidates.dropFirst() {
      if kept.contains(where: { $0.hasSamePlaces(as: candidate) }) { continue }
      if best.score - candidate.score < 4, kept.count < 16, try readsSame(reader, candidate) {
        kept[0].equivalentCount += 1
        continue
      }
      kept.append(candidate)
    }
    candidates = Array(kept.prefix(40))
  }

  private func readsSame(
    _ reader: CandidateReader, _ other: RecoveryCandidate
  ) throws(RaidError) -> Bool {
    let second = CandidateReader(images, other)
    let end = min(reader.shape.byteCount, other.shape.byteCount) - 4096
    var count = 0
    for mark in book.landmarks {
      for device in images.present {
        for side in [reader, second] {
          guard let offset = side.arrayOffset(ofDevice: device, at: mark), offset <= end else {
            continue
          }
          try images.checkStop()
          let start = offset / 4096 * 4096
          guard let a = reader.bytes(start..<start + 4096),
            let b = second.bytes(start..<start + 4096)
          else { continue }
          if a != b { return false }
          count += 1
        }
      }
    }
    return count >= 16
  }

  private mutating func rate() {
    guard let best = candidates.first else { return }
    let total = candidates.reduce(0) { $0 + exponential($1.score - best.score) }
    for index in candidates.indices {
      let share = exponential(candidates[index].score - best.score) / total
      let findings = max(0, candidates[index].findings)
      candidates[index].confidence = share * (1 - exponential(-findings / 4))
    }
  }

  func result(notes: [String], read: Int) -> RecoveryResult {
    // Findings are added as if they were independent. One that speaks loudly against what the others say
    // tells that they are not, and that the sum is worth less than it seems.
    let isDecided =
      candidates.first.map { best in
        best.confidence >= 0.8 && best.evidence.allSatisfy { $0.weight > -20 }
      } ?? false
    var finals: [RecoveryCandidate] = []
    for var candidate in candidates {
      candidate.order = candidate.order.map { $0.flatMap { givenIndexes[$0] } }
      finals.append(candidate)
    }
    return RecoveryResult(
      candidates: finals, isDecided: isDecided, notes: notes + self.notes,
      advice: isDecided ? [] : advice(), byteCountRead: read)
  }

  private func advice() -> [String] {
    var advice: [String] = []
    if book.landmarks.isEmpty {
      return [
        "the members hold nothing but zeros where they were looked at: nothing can be told from them"
      ]
    }
    if request.level == nil { advice.append("say the level with --level") }
    if request.chunkByteCount == nil { advice.append("say the chunk size with --chunk") }
    if request.dataOffset == nil { advice.append("say where the data starts with --data-offset") }
    if request.slotCount == nil, images.missing == nil {
      advice.append("if a member is missing, give 'missing' for it")
    }
    advice.append(
      "encrypted or compressed content tells nothing of its order: then only superblocks or notes help"
    )
    return advice
  }
}

extension RecoveryCandidate {
  /// Whether both put the same bytes in the same places, but for the array's end.
  func hasSamePlaces(as other: RecoveryCandidate) -> Bool {
    shape.level == other.shape.level && shape.layout == other.shape.layout
      && shape.chunkByteCount == other.shape.chunkByteCount && order == other.order
      && dataOffsets == other.dataOffsets
      && (!shape.level.usesWholeMembers && shape.layout & 0x1ff00 != 0x200
        || shape.memberByteCounts == other.shape.memberByteCounts)
  }
}

extension LayoutTerms {
  /// One member after the other.
  init(chain count: Int) {
    self.init(period: 1)
    relations = (0..<max(0, count - 1)).map {
      Relation(kind: .follows, rowClass: 0, rowDelta: 0, from: $0, to: $0 + 1)
    }
  }
}
