import CrashSimulator

/// What the command line asks for.
struct Invocation {
  var request = Simulation.Request()
  /// A state, as it was printed.
  var replay: StateAddress?
  var lists = false

  /// What is wrong with a command line.
  struct Mistake: Error {
    let text: String
  }

  init(_ arguments: ArraySlice<String>) throws(Mistake) {
    var rest = arguments
    var address: String?
    while let option = rest.popFirst() {
      switch option {
      case "--exhaustive": request.isExhaustive = true
      case "--list": lists = true
      case "--states", "--seed", "--cell", "--replay":
        guard let value = rest.popFirst() else { throw Mistake(text: "\(option) needs a value") }
        if option == "--replay" { address = value } else { try set(option, value) }
      default: throw Mistake(text: "unknown option \(option)")
      }
    }
    guard let address else { return }
    guard request.cells.count == 1, let replay = StateAddress(request.cells[0], address) else {
      throw Mistake(text: "--replay needs one --cell, and SCENARIO:STATE as it was printed")
    }
    self.replay = replay
  }

  private mutating func set(_ option: String, _ value: String) throws(Mistake) {
    switch option {
    case "--states":
      guard let count = Int(value), count > 0 else { throw Mistake(text: "\(value) is no number") }
      request.stateCount = count
    case "--seed":
      guard let seed = UInt64(value) else { throw Mistake(text: "\(value) is no number") }
      request.seed = seed
    default:
      request.cells = Cell.all.filter { $0.name.hasPrefix(value) }
      if request.cells.isEmpty { throw Mistake(text: "no cell is called \(value): see --list") }
    }
  }
}
