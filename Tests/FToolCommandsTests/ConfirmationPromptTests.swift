import FToolCommands
import Testing

@Suite struct ConfirmationPromptTests {
  private let prompt = RecordedText()

  private func make(answer: String?, isInteractive: Bool = true) -> ConfirmationPrompt {
    ConfirmationPrompt(isInteractive: isInteractive, prompt: prompt.sink) { answer }
  }

  @Test(arguments: ["y", "Y", "yes"]) func `a yes goes on`(answer: String) throws {
    try make(answer: answer).require("erase it", assumingYes: false)
    #expect(prompt.text == "ftool: about to erase it. Go on? [y/N] ")
  }

  @Test(arguments: ["", "n", "no", "yeah", nil]) func `all else does not`(answer: String?) {
    #expect(throws: Failure(.failed, "not confirmed: nothing was changed")) {
      try make(answer: answer).require("erase it", assumingYes: false)
    }
  }

  @Test func `a signal while asking is an interruption`() {
    struct Stopped: StopFlag {
      let signal: Int32? = 2
      func takeStatusRequest() -> Bool { false }
    }
    let question = ConfirmationPrompt(isInteractive: true, prompt: prompt.sink, stop: Stopped()) {
      nil
    }
    let failure = #expect(throws: Failure.self) {
      try question.require("erase it", assumingYes: false)
    }
    #expect(failure?.status.code == 130)
  }

  @Test func `nobody to ask is wrong usage`() {
    let failure = #expect(throws: Failure.self) {
      try make(answer: "y", isInteractive: false).require("erase it", assumingYes: false)
    }
    #expect(failure?.status == .usage)
    #expect(prompt.text.isEmpty)
  }

  @Test func `yes in advance is not asked`() throws {
    try make(answer: nil, isInteractive: false).require("erase it", assumingYes: true)
    #expect(prompt.text.isEmpty)
  }
}
