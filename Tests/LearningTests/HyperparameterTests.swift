import Learning
import Testing

@Suite struct HyperparameterTests {
  @Test func errorsNameValueAndRange() throws {
    let texts = ["k": "0", "rate": "x", "mode": "fast", "list": "[\"msd\",\"ssd\"]"]
    let parameters = try Hyperparameters(texts, known: ["k", "rate", "mode", "list", "n"])
    func message(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return ""
    }
    #expect(
      message { _ = try parameters.integer("k", in: 1...9) }
        == "hyperparameter k is '0', it must be an integer from 1 to 9")
    #expect(
      message { _ = try parameters.number("rate", in: 0...1) }
        == "hyperparameter rate is 'x', it must be a number from 0.0 to 1.0")
    #expect(
      message { _ = try parameters.word("mode", of: ["a", "b"]) }
        == "hyperparameter mode is 'fast', it must be one of a, b")
    #expect(
      message { _ = try parameters.integer("n", in: 1...Int.max) }
        == "hyperparameter n is required: an integer of at least 1")
    #expect(try parameters.words("list", of: ["msd", "ssd"], default: []) == ["msd", "ssd"])
    #expect(message { _ = try Hyperparameters(["q": "1"], known: ["k"]) }.contains("'1'"))
  }
}
