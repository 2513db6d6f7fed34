import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Raid
import SystemPackage

/// Finds the members of the array that a verb works on: all were named, or one was and the others lie
/// in the same folder, or the array's name was.
struct ArrayFinder {
  let context: CommandContext
  /// Folders to look in.
  let folders: [String]
  /// Whoever names several members has said which: others are not looked for.
  private let takesOnlyNamed: Bool

  init(_ operand: ArrayOperand, context: CommandContext) {
    self.context = context
    folders = operand.scan
    takesOnlyNamed = operand.array.count > 1 && folders.isEmpty
  }

  /// Looks in these folders.
  init(folders: [String], context: CommandContext) {
    self.context = context
    self.folders = folders
    takesOnlyNamed = false
  }

  /// The paths of all members that can be found.
  func members(_ operand: [String]) throws(Failure) -> [MemberPath] {
    let paths = try operand.map { (text) throws(Failure) in try Self.path(text) }
    if operand.count == 1, let first = operand.first, let path = paths.first {
      if path.isMissing { throw Failure(.usage, "'missing' alone names no array") }
      if !Files.exists(path.path) { return try named(first) }
      return try companions(of: path)
    }
    var found = paths.filter { !$0.isMissing }
    if !folders.isEmpty, let first = found.first, let id = arrayID(of: first) {
      for path in try scan(folders, for: id) where !found.contains(where: { same($0, path) }) {
        found.append(path)
      }
    }
    return found
  }

  /// The one of these paths that led to a member of the same array as the others when that was last used, and has no
  /// superblock now: so a rebuild leaves it that was killed as it began.
  func unfinished(_ operand: [String]) -> String? {
    let paths = operand.compactMap { try? MemberPath(parsing: $0) }.filter { !$0.isMissing }
    guard let id = paths.firstValue(arrayID) else { return nil }
    let known = ArrayRegistry(context).entries.first { $0.arrayID == id }?.paths ?? []
    let unfinished = blanks(operand).filter { path in
      (try? Files.realPath(path)).map(known.contains) ?? false
    }
    return unfinished.count == 1 ? unfinished[0] : nil
  }

  /// Those of these paths, each a whole file or device, that have no superblock.
  func blanks(_ operand: [String]) -> [String] {
    operand.filter { text in
      guard let path = try? MemberPath(parsing: text), path.text == path.path,
        Files.exists(path.path), case .stranger = look(at: path)
      else { return false }
      return true
    }
  }

  /// Members without those that the verb names itself and that are none: what is yet to be one was named twice.
  func without(newcomers mentioned: [String], _ members: [MemberPath]) -> [MemberPath] {
    let newcomers = mentioned.compactMap { try? MemberPath(parsing: $0) }
    let known = members.filter { path in
      guard newcomers.contains(where: { same($0, path) }) else { return true }
      if case .stranger = look(at: path) { return false }
      return true
    }
    return known.isEmpty ? members : known
  }

  /// Those of these paths that lead to more members of the array that others are of.
  func members(_ mentioned: [String], ofArrayOf found: [MemberPath]) -> [MemberPath] {
    var more: [MemberPath] = []
    guard !mentioned.isEmpty, let id = found.firstValue(arrayID) else { return more }
    // What is none is for the verb to refuse.
    for path in mentioned.compactMap({ try? MemberPath(parsing: $0) })
    where !path.isMissing && !(found + more).contains(where: { same($0, path) }) {
      if arrayID(of: path) == id { more.append(path) }
    }
    return more
  }

  /// A member as the user named it.
  static func path(_ text: String) throws(Failure) -> MemberPath {
    do throws(MemberPathError) {
      return try MemberPath(parsing: text)
    } catch {
      throw Failure(
        .usage,
        "'\(text)' names no member: what stands behind '@' or '#' is no offset, size or number")
    }
  }

  /// One member was named: the others have its array's UUID and lie beside it.
  private func companions(of path: MemberPath) throws(Failure) -> [MemberPath] {
    guard let id = arrayID(of: path) else { return [path] }
    var found = [path]
    let folders = [Files.directory(of: path.path)] + folders
    for other in try scan(folders, for: id) where !found.contains(where: { same($0, other) }) {
      found.append(other)
    }
    return found.sorted { $0.text < $1.text }
  }

  /// An array's name: as its superblocks say it, with or without the host in front.
  private func named(_ name: String) throws(Failure) -> [MemberPath] {
    let folders = self.folders.isEmpty ? ["."] : self.folders
    var arrays: [(id: Identifier, name: String)] = []
    for folder in folders {
      for path in try candidates(in: folder) {
        guard let probe = probe(path) else { continue }
        let full = probe.superblock.name
        let short = full.split(separator: ":", maxSplits: 1).last.map(String.init) ?? full
        guard full == name || short == name else { continue }
        if !arrays.contains(where: { $0.id == probe.superblock.arrayID }) {
          arrays.append((probe.superblock.arrayID, full))
        }
      }
    }
    for entry in ArrayRegistry(context).entries where entry.matches(name) {
      if !arrays.contains(where: { $0.id == entry.arrayID }) {
        arrays.append((entry.arrayID, entry.name))
      }
    }
    guard let only = arrays.first else {
      throw Failure(
        .notFound, "there is no file, device or array '\(name)'",
        hint: "name its members, or the folder they are in with --scan DIR")
    }
    guard arrays.count == 1 else {
      let names = arrays.map { "\($0.name) (\($0.id))" }.joined(separator: ", ")
      throw Failure(
        .usage, "'\(name)' may be any of several arrays: \(names)", hint: "name its members")
    }
    let known = ArrayRegistry(context).entries.first { $0.arrayID == only.id }?.paths ?? []
    var found = try scan(folders, for: only.id)
    for path in known.compactMap({ try? MemberPath(parsing: $0) })
    where arrayID(of: path) == only.id && !found.contains(where: { same($0, path) }) {
      found.append(path)
    }
    return found
  }

  /// Members of an array in folders: those that say so, and those that were members when the array was
  /// last used and can say nothing any more.
  func scan(_ folders: [String], for id: Identifier) throws(Failure) -> [MemberPath] {
    let known = ArrayRegistry(context).entries.first { $0.arrayID == id }?.paths ?? []
    var found: [MemberPath] = []
    for folder in folders {
      for path in try candidates(in: folder) {
        switch look(at: path) {
        case .member(let probe): if probe.superblock.arrayID == id { found.append(path) }
        case .broken(.notStartable(.unreadableSuperblock(_, .cutShort(let other, _, _))))
        where other == id:
          found.append(path)
        case .broken, .closed:
          if let real = try? Files.realPath(path.path), known.contains(real) { found.append(path) }
        case .stranger: break
        }
      }
    }
    return found
  }

  /// Paths that led to members when the array was last used and tell nothing any more: what is wrong there.
  ///
  /// - Parameter found: the members that were found, of which at least one is of use.
  func broken(
    of id: Identifier, besides found: [MemberProbe]
  ) -> [(path: String, why: Failure)] {
    guard !takesOnlyNamed, let least = found.map(\.leastByteCount).min() else { return [] }
    let known = ArrayRegistry(context).entries.first { $0.arrayID == id }?.paths ?? []
    return known.compactMap { text in
      guard let path = try? MemberPath(parsing: text), !path.isMissing else { return nil }
      switch look(at: path) {
      case .member: return nil
      case .broken(let error): return (text, Failure(error))
      case .closed(let error): return (text, Failure(error))
      case .stranger:
        guard let size = cutShort(path, least: least) else { return nil }
        return (text, Failure(cutShort: text, byteCount: size, least: least))
      }
    }
  }

  /// Paths that led to members when the array was last used, and lead nowhere now.
  func absent(of id: Identifier) -> [String] {
    let known = ArrayRegistry(context).entries.first { $0.arrayID == id }?.paths ?? []
    return known.filter { text in
      guard let path = try? MemberPath(parsing: text), !path.isMissing else { return false }
      return !Files.exists(path.path)
    }
  }

  /// The size of what may be left of a member, in bytes; nil for what is none.
  private func cutShort(_ path: MemberPath, least: Int) -> Int? {
    guard let status = try? Files.status(of: path.path), status.kind == .regular,
      status.byteCount < least
    else { return nil }
    return status.byteCount
  }

  /// Remembers where the members are: those that were used now, and those that are known from before and
  /// are not known to hold something else now.
  func remember(_ assembly: Assembly, name: String, paths: [String], isWhole: Bool) {
    let id = assembly.reference.arrayID
    let least = assembly.members.map(\.leastByteCount).min() ?? 0
    ArrayRegistry(context).remember(id, name: name, paths: paths) { text in
      guard let path = try? MemberPath(parsing: text), Files.exists(path.path) else { return true }
      return switch look(at: path) {
      case .member(let probe): probe.superblock.arrayID == id
      case .broken: !isWhole
      case .closed: true
      case .stranger: !isWhole && cutShort(path, least: least) != nil
      }
    }
  }

  /// What a path leads to.
  enum Candidate {
    case member(MemberProbe)
    /// It can't be read where its superblock may be, or has one that can't be used.
    case broken(RaidError)
    /// It may not be opened.
    case closed(SystemCallError)
    case stranger
  }

  func look(at path: MemberPath) -> Candidate {
    let device: any BlockDevice
    do throws(MemberPathError) {
      device = try path.open(access: .readOnly)
    } catch {
      guard case .cannotOpen(let error) = error,
        [.permissionDenied, .notPermitted].contains(error.errno)
      else { return .stranger }
      return .closed(error)
    }
    do throws(RaidError) {
      return .member(try MemberProbe(device))
    } catch .notStartable(.unreadableSuperblock(_, .absent)) {
      return .stranger
    } catch {
      return .broken(error)
    }
  }

  /// Everything in a folder that may be a member: files and block devices.
  func candidates(in folder: String) throws(Failure) -> [MemberPath] {
    let names: [String]
    do throws(SystemCallError) {
      names = try Files.list(folder).sorted()
    } catch {
      throw Failure(error)
    }
    return names.compactMap { name in
      let path = folder == "." ? name : "\(folder)/\(name)"
      guard let status = try? Files.status(of: path),
        status.kind == .block || status.kind == .regular && status.byteCount >= 64 << 10
      else { return nil }
      return try? MemberPath(parsing: path)
    }
  }

  /// What a path says of itself, if it is a member.
  func probe(_ path: MemberPath) -> MemberProbe? {
    if case .member(let probe) = look(at: path) { probe } else { nil }
  }

  private func arrayID(of path: MemberPath) -> Identifier? { probe(path)?.superblock.arrayID }

  private func same(_ one: MemberPath, _ other: MemberPath) -> Bool {
    if one.text == other.text { return true }
    guard one.part == other.part, let a = try? Files.identity(of: one.path),
      let b = try? Files.identity(of: other.path)
    else { return false }
    return a == b
  }
}

extension Sequence {
  /// The first value that one of the elements has. Each is asked once: another time it may have none, as a member that
  /// begins to fail.
  func firstValue<Value>(_ value: (Element) -> Value?) -> Value? {
    for element in self {
      if let value = value(element) { return value }
    }
    return nil
  }
}

extension MemberProbe {
  /// What the member has in front of its data's end, or less: no member of its array is smaller. In bytes.
  fileprivate var leastByteCount: Int {
    let (size, room) = (superblock.sizeSectors, superblock.dataSizeSectors)
    return Int(superblock.dataOffsetSectors + (size > 0 ? min(size, room) : room)) * 512
  }
}
