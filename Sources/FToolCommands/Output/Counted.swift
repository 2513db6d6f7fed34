/// `1 block`, `3 blocks`.
func counted(_ count: some BinaryInteger, _ noun: String) -> String {
  count == 1 ? "1 \(noun)" : "\(count) \(noun)s"
}

/// `1 block is`, `3 blocks are`.
func countedPresent(_ count: some BinaryInteger, _ noun: String) -> String {
  counted(count, noun) + (count == 1 ? " is" : " are")
}

/// `1 block was`, `3 blocks were`.
func countedPast(_ count: some BinaryInteger, _ noun: String) -> String {
  counted(count, noun) + (count == 1 ? " was" : " were")
}
