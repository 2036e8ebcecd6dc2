import Learning

extension Hyperparameters {
  /// Reads `k=10,epochs=2`; commas within the brackets of a list do not separate.
  static func parse(_ text: String) throws -> [String: String] {
    var texts: [String: String] = [:]
    var last: String?
    for part in text.split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
      if pair.count == 2 {
        texts[pair[0]] = pair[1]
        last = pair[0]
      } else if let name = last, let list = texts[name], list.hasPrefix("["), !list.hasSuffix("]") {
        // A comma within a list: eval_metrics=["msd","ssd"].
        texts[name] = list + "," + part
      } else {
        throw Failure(
          message: "the hyperparameter '\(part)' has no value", hint: "write name=value",
          code: Outcome.configuration)
      }
    }
    return texts
  }
}
