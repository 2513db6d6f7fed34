import BinaryCodec
import LinuxSystem
import SystemPackage

/// Where the sockets of a tree are reached while it is brought back.
final class UnixSocketNames {
  /// One may have had a name that another has now: no file stays where it was made before all are made.
  var areShared = false
  /// The folders of names that are relative paths and too long when they are not.
  fileprivate var folders: [String: OwnedDescriptorBox] = [:]
  /// The files of those to which no path leads, or not yet.
  fileprivate var files: [UInt32: OwnedDescriptorBox] = [:]
  /// Where files are, and where they belong.
  fileprivate var moves: [(from: String, to: String, type: Int32)] = []

  func close() {
    folders = [:]
    files = [:]
  }
}

extension UnixSocket {
  /// The path of the file that is made for a socket, as it was; nil for those that have none.
  static func filePath(
    of state: DescriptionState, _ restoration: Restoration
  ) throws(CheckpointError) -> String? {
    let detail = try restoration.decode(Detail.self, state.detail)
    guard detail.peer == 0 || detail.type == datagrams, let path = path(of: detail.address) else {
      return nil
    }
    if !detail.presentPath.isEmpty { return detail.presentPath }
    return detail.folder.isEmpty ? path : "\(detail.folder)/\(path)"
  }

  /// Gives it its name. A file that an ended process has left there is in the way.
  static func bind(
    _ socket: OwnedDescriptorBox, _ detail: Detail, _ restoration: Restoration
  ) throws(CheckpointError) {
    if detail.address.isEmpty { return }
    let place = try name(of: detail, restoration)
    let (address, path) = (place.address, place.path)
    do throws(SystemCallError) {
      try NamePatience.bind { () throws(SystemCallError) in
        if let path { try clear(path, type: detail.type, restoration) }
        if detail.folder.isEmpty { return try socket.descriptor.bind(to: address) }
        try Files.working(in: restoration.place(of: detail.folder)) {
          () throws(SystemCallError) in try socket.descriptor.bind(to: detail.address)
        }
      }
      guard let path else { return }
      try restoration.journal.made(at: path)
      try settleFile(at: path, of: detail, restoration)
    } catch {
      throw failure(error, path)
    }
  }

  private static func failure(_ error: SystemCallError, _ path: String?) -> CheckpointError {
    guard error.errno == .addressInUse || error.errno == .fileExists else {
      return .system(error, process: nil)
    }
    let found = path.flatMap { try? OwnedDescriptor.open($0, flags: OpenFlags.pathOnly).details() }
    let isOther = found.map { $0.kind != .socket } ?? false
    return .obstacles([
      Obstacle(
        ProcessID(0), path ?? "an abstract Unix socket",
        isOther ? "another file is there now" : "its name is in use by another process",
        remedy: isOther ? "move it away first" : "end that process first")
    ])
  }

  private static func settleFile(
    at path: String, of detail: Detail, _ restoration: Restoration
  ) throws(SystemCallError) {
    let names = restoration.unixSockets.names
    if let file = detail.file {
      try Files.setOwner(path, user: file.user, group: file.group)
      try Files.setPermissions(path, file.permissions & 0o7777)
    }
    guard names.areShared else { return }
    names.files[detail.own] = OwnedDescriptorBox(
      try OwnedDescriptor.open(path, flags: OpenFlags.pathOnly))
    guard detail.file != nil else { return try Files.unlink(path) }
    let wanted =
      detail.presentPath.isEmpty ? path : restoration.place(of: detail.presentPath)
    let temporary = Files.temporaryName(beside: wanted)
    try Files.rename(path, toFree: temporary)
    try restoration.journal.made(at: temporary)
    names.moves.append((temporary, wanted, detail.type))
  }

  /// Takes all files to where they belong. What an ended process has left there goes.
  static func placeFiles(_ restoration: Restoration) throws(CheckpointError) {
    for (temporary, wanted, type) in restoration.unixSockets.names.moves {
      do throws(SystemCallError) {
        try clear(wanted, type: type, restoration)
        try Files.rename(temporary, toFree: wanted)
        try restoration.journal.made(at: wanted)
      } catch {
        throw failure(error, wanted)
      }
    }
  }

  /// Sets aside the file of a socket that nobody has open any more.
  private static func clear(
    _ path: String, type: Int32, _ restoration: Restoration
  ) throws(SystemCallError) {
    guard try isAbandoned(path, type: type) else { return }
    restoration.journal.drop(try restoration.journal.setAside(path))
  }

  private static func isAbandoned(
    _ path: String, type: Int32
  ) throws(SystemCallError) -> Bool {
    guard let file = try? OwnedDescriptor.open(path, flags: OpenFlags.pathOnly),
      let found = try? file.details(), found.kind == .socket
    else { return false }
    let address = [1, 0] + file.pathForAll.pathBytes + [0]
    // One that listens and does not accept must not keep us waiting.
    let probe = try OwnedDescriptor.makeSocket(
      family: family, type: type | nonBlocking, protocol: 0)
    do throws(SystemCallError) {
      try probe.connect(to: address)
      return false
    } catch {
      guard error.errno == .permissionDenied, found.user == Machine.userID else {
        return error.errno == .connectionRefused
      }
    }
    // Its owner may always ask.
    do throws(SystemCallError) {
      try Files.setPermissions(file.pathForAll, found.mode & 0o7777 | 0o200)
      defer { try? Files.setPermissions(file.pathForAll, found.mode & 0o7777) }
      try probe.connect(to: address)
      return false
    } catch {
      return error.errno == .connectionRefused
    }
  }

  /// Where a socket is reached.
  struct Place {
    /// Of the file that leads to it; nil for what has none.
    var path: String?
    /// What stands before the rest of the address, where it begins with an open file.
    var base: OwnedDescriptorBox?
    var rest: [UInt8]

    /// `struct sockaddr_un` for this process.
    var address: [UInt8] { address(base: base?.descriptor.pathForAll) }

    /// For one in which this path leads to the open file.
    func address(base: String?) -> [UInt8] {
      base.map { [1, 0] + $0.pathBytes + rest + [0] } ?? rest
    }
  }

  /// Where it is reached now, from everywhere.
  static func place(
    of detail: Detail, _ restoration: Restoration
  ) throws(CheckpointError) -> Place {
    if let file = restoration.unixSockets.names.files[detail.own] {
      return Place(base: file, rest: [])
    }
    return try name(of: detail, restoration)
  }

  /// Where its name leads now.
  private static func name(
    of detail: Detail, _ restoration: Restoration
  ) throws(CheckpointError) -> Place {
    guard let name = path(of: detail.address) else { return Place(rest: detail.address) }
    if detail.folder.isEmpty { return try place(in: "", restoration.place(of: name), restoration) }
    return try place(in: restoration.place(of: detail.folder), "/\(name)", restoration)
  }

  /// By its whole path if an address has room for that.
  private static func place(
    in folder: String, _ name: String, _ restoration: Restoration
  ) throws(CheckpointError) -> Place {
    let address = [1, 0] + (folder + name).pathBytes + [0]
    if address.count <= 110 { return Place(path: folder + name, rest: address) }
    let names = restoration.unixSockets.names
    guard !folder.isEmpty else { throw .malformed(.outOfRange(5)) }
    if names.folders[folder] == nil {
      names.folders[folder] = try about(nil) { () throws(SystemCallError) in
        OwnedDescriptorBox(try OwnedDescriptor.open(folder, flags: OpenFlags.pathOnly))
      }
    }
    let place = Place(path: folder + name, base: names.folders[folder], rest: name.pathBytes)
    guard place.address.count <= 100 else { throw .malformed(.outOfRange(17)) }
    return place
  }
}
