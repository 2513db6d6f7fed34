import BinaryCodec
import Raid

/// The history of an array, the newest last.
struct EventsReport: Report {
  let array: String
  let arrayID: Identifier
  /// Those that were asked for.
  let events: [ArrayEvent]
  /// How many are kept.
  let total: Int

  let type = "raid-events"

  func text(_ style: TextStyle) -> String {
    events.map { event in
      let sentence = EventSentence(event)
      let text = sentence.isBad ? style.warning(sentence.text) : sentence.text
      return "\(event.time.rfc3339)  \(text)\n"
    }.joined()
  }

  var json: JSONValue {
    [
      "array": .string(array), "uuid": .string(arrayID.description), "total": .number(total),
      "events": .array(events.map(\.json)),
    ]
  }
}
