/// A place in the matrix of what is tried: an array of which kind, in which state, doing what.
package struct Cell: Hashable, Sendable {
  package var level: LevelName
  package var journal: JournalMode
  package var hasBitmap: Bool
  package var health: ArrayHealth
  package var operation: Operation

  /// As it is given on the command line: `raid5/no-journal/bitmap/degraded/write`.
  package var name: String {
    [
      level.rawValue, journal.rawValue, hasBitmap ? "bitmap" : "no-bitmap", health.rawValue,
      operation.rawValue,
    ].joined(separator: "/")
  }

  /// The whole matrix: what makes sense of it.
  package static let all: [Cell] = {
    var cells: [Cell] = []
    for level in LevelName.allCases {
      for journal in JournalMode.allCases {
        for hasBitmap in [false, true] {
          for health in ArrayHealth.allCases {
            for operation in Operation.allCases {
              let cell = Cell(
                level: level, journal: journal, hasBitmap: hasBitmap, health: health,
                operation: operation)
              if cell.makesSense { cells.append(cell) }
            }
          }
        }
      }
    }
    return cells
  }()

  /// nil where there is no such cell.
  package init?(name: String) {
    guard let cell = Self.all.first(where: { $0.name == name }) else { return nil }
    self = cell
  }

  private init(
    level: LevelName, journal: JournalMode, hasBitmap: Bool, health: ArrayHealth,
    operation: Operation
  ) {
    self.level = level
    self.journal = journal
    self.hasBitmap = hasBitmap
    self.health = health
    self.operation = operation
  }

  private var makesSense: Bool {
    if operation == .grow, health == .degraded || !level.canGrow { return false }
    guard level.isRedundant else {
      return !hasBitmap && health == .healthy && operation != .rebuild && operation != .replace
    }
    // The member that is rebuilt is missing anyway.
    return !(operation == .rebuild && health == .degraded) || level.canLackTwo
  }

  /// The seed of one of its scenarios.
  package func scenarioSeed(_ seed: UInt64, _ number: Int) -> UInt64 {
    var mixer = Mixer(seed, UInt64(number))
    mixer.add(name)
    return mixer.value
  }
}
