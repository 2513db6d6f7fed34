import BinaryCodec
import LinuxSystem

/// Standard files that lead elsewhere than to where they led, because somebody said so.
///
/// To the rest of a restore they are as those that led outside when the tree was saved: each becomes what
/// `RestoreOptions.standardFiles` says, and the file that it was is nothing that the tree needs.
extension CheckpointState {
  /// The same tree, with these standard files led outside wherever they are files of their own. Returns what is to be
  /// said of it: a command that the program started, as `sort > result`, has an output that is easily forgotten.
  mutating func redirect(_ numbers: [Int32: RestoreOptions.Redirection]) -> [Obstacle] {
    let before = self
    var forgotten: [Obstacle] = []
    var added: [Int32: UInt32] = [:]
    let ofFirst = Set(processes.first?.descriptors.map(\.description) ?? [])
    var left: Set<UInt32> = []
    for process in processes.indices {
      for place in processes[process].descriptors.indices {
        let descriptor = processes[process].descriptors[place]
        guard let redirection = numbers[descriptor.number],
          descriptions.indices.contains(Int(descriptor.description)),
          descriptions[Int(descriptor.description)].canBeRedirected(redirection)
        else { continue }
        if !ofFirst.contains(descriptor.description), left.insert(descriptor.description).inserted,
          let path = before.summary(ofDescription: Int(descriptor.description))
        {
          forgotten.append(
            Obstacle(
              ProcessID(processes[process].id), "descriptor \(descriptor.number) (\(path))",
              "this file of its own gives way to what --stdio says, too"))
        }
        left.insert(descriptor.description)
        let number = descriptor.number
        if added[number] == nil {
          added[number] = UInt32(descriptions.count)
          descriptions.append(.outside(number, link: ""))
        }
        processes[process].descriptors[place].description = added[number]!
        processes[process].descriptors[place].locks = []
      }
    }
    for process in processes { left.subtract(process.descriptors.map(\.description)) }
    // Nobody has these any more, but descriptions go by their places.
    for index in left { descriptions[Int(index)] = .outside(0, link: "") }
    return forgotten
  }

  /// What was said, and changes nothing: to be asked when they lead elsewhere.
  func withoutEffect(_ numbers: [Int32: RestoreOptions.Redirection]) -> [Obstacle] {
    let kinds = [ExternalFile.name, ControllingTerminal.name]
    let outside = Set(
      processes.flatMap(\.descriptors).filter {
        descriptions.indices.contains(Int($0.description))
          && kinds.contains(descriptions[Int($0.description)].kind)
      }.map(\.number))
    if numbers.values.contains(.all) {
      if outside.contains(where: { (0...2).contains($0) }) { return [] }
      return [
        Obstacle(
          ProcessID(0), "--stdio",
          "it has no effect: no standard file led outside, or was a regular file")
      ]
    }
    return numbers.keys.filter { !outside.contains($0) }.sorted().map { number in
      Obstacle(
        ProcessID(0), "--stdio \(number)=",
        "it has no effect: descriptor \(number) is closed, or leads to the program itself")
    }
  }
}

extension DescriptionState {
  fileprivate static func outside(_ number: Int32, link: String) -> DescriptionState {
    var detail = ExternalFile.Detail()
    (detail.number, detail.link) = (number, link)
    var state = DescriptionState()
    state.kind = ExternalFile.name
    state.detail = detail.encoded()
    return state
  }

  /// A regular file can, and what leads nowhere any more; a device of the kind of /dev/null only where its number was
  /// named. What leads to others of the tree can't.
  fileprivate func canBeRedirected(_ redirection: RestoreOptions.Redirection) -> Bool {
    switch kind {
    case RegularFile.name:
      (try? RegularFile.Detail(decoding: detail[...]))?.isDirectory == false
    case ObjectFile.name, HungTerminal.name: true
    case DeviceFile.name: redirection == .named
    default: false
    }
  }
}
