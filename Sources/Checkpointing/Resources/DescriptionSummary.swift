import BinaryCodec

extension CheckpointState {
  /// What people know an open file description by, such as its path, and what it leads to; nil where its kind
  /// says it all.
  package func summary(ofDescription index: Int) -> String? {
    guard descriptions.indices.contains(index) else { return nil }
    return DescriptorKinds.kind(named: descriptions[index].kind)?.summary(descriptions[index], self)
  }

  /// Where a description is open: `descriptor 4 of process 12`; nil if nowhere.
  func holder(ofDescription index: Int) -> String? {
    for process in processes {
      for descriptor in process.descriptors where Int(descriptor.description) == index {
        return "descriptor \(descriptor.number) of process \(process.id)"
      }
    }
    return nil
  }

  /// The first description for which this holds, of those from one on.
  func descriptionIndex(from start: Int = 0, where isIt: (DescriptionState) -> Bool) -> Int? {
    descriptions.dropFirst(start).firstIndex(where: isIt)
  }
}
