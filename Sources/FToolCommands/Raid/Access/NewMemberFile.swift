import BinaryCodec
import BlockStorage
import LinuxSystem
import MDFormat
import Raid

/// A device that is to become a member, opened, held, and found to hold nothing that would be missed.
struct NewMemberFile {
  let device: any BlockDevice
  /// Keeps the device held; nil where the session does.
  private let files: MemberFiles?

  init(
    _ path: String, _ session: ArraySession, _ write: WriteOptions, _ context: CommandContext
  ) throws(Failure) {
    if let device = session.leftOut(at: path) {
      self.device = device
      files = nil
    } else {
      let files = try MemberFiles(
        [try ArrayFinder.path(path)], for: write.dryRun ? .read : .write, context: context)
      guard let device = files.devices.first else {
        throw Failure(.usage, "'missing' is no member that could be opened")
      }
      self.device = device
      self.files = files
    }
    if !write.force {
      try Self.requireNothingForeign(on: device, for: session.array.assembly.reference.arrayID)
    }
  }

  /// Refuses a device that holds something.
  ///
  /// - Parameter array: what is left of a member of it may be written over.
  static func requireNothingForeign(
    on device: any BlockDevice, for array: Identifier? = nil
  ) throws(Failure) {
    let found: [ContentSignature.Found]
    do throws(DeviceError) {
      found = try ContentSignature.find(on: device)
    } catch {
      throw Failure(error, on: device.name)
    }
    if let first = found.first {
      throw Failure(
        .wouldOverwrite, "\(device.name) holds something already: \(first.kind)",
        hint: "--force overwrites it; 'ftool raid wipe' erases the metadata of an array")
    }
    let former: Identifier?
    do throws(DeviceError) {
      former = try MetadataErasure.formerArray(of: device)
    } catch {
      throw Failure(error, on: device.name)
    }
    if let former, former != array {
      throw Failure(
        .wouldOverwrite,
        "\(device.name) has been a member of the array \(former), and has lost its superblock",
        hint:
          "'ftool raid recover' finds the array by all its members; --force overwrites it, and 'ftool raid wipe' "
          + "makes it free")
    }
  }
}
