import Foundation

/// An alert as a rule of a pipeline raised or resolved it.
public struct Alert: Hashable, Sendable, Codable {
  /// Whether the condition holds.
  public enum Status: String, Hashable, Sendable, Codable {
    /// It holds.
    case firing
    /// It has ended.
    case resolved
  }

  /// A value that an alert carries besides its labels.
  public enum Value: Hashable, Sendable, Codable {
    /// A number; not finite becomes null.
    case number(Double)
    /// An integer.
    case integer(Int64)
    /// A text.
    case text(String)
    /// A truth value.
    case boolean(Bool)
    /// A JSON object or array, such as the attribution of a score to columns.
    case json(String)
    /// No value.
    case null
  }

  /// A value under a name, for example `score` or `expected`.
  public struct Field: Hashable, Sendable, Codable {
    /// The name.
    public let name: String
    /// The value.
    public let value: Value

    /// Creates a field.
    public init(_ name: String, _ value: Value) {
      self.name = name
      self.value = value
    }
  }

  /// A name with a text.
  public struct Label: Hashable, Sendable, Codable {
    /// The name.
    public let name: String
    /// The text.
    public let value: String

    /// Creates a label.
    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// Unique within the pipeline and the same in a replay: the row's id, or episode and transition.
  public let id: String
  /// The pipeline.
  public let pipeline: String
  /// The rule: the name of its stream.
  public let rule: String
  /// Whether the condition holds.
  public let status: Status
  /// What identifies the alert, in the order of the names' bytes, `alertname` and `pipeline`
  /// included.
  public let labels: [Label]
  /// What describes it, in the order of the names' bytes.
  public let annotations: [Label]
  /// The values, in the order given.
  public let fields: [Field]
  /// When the condition began, in milliseconds since 1970 (ROWTIME).
  public let startsAt: Int64
  /// When it ended; nil while firing.
  public let endsAt: Int64?
  /// Where to look; may be empty.
  public let generatorURL: String
  /// FNV-64 of the labels as 16 hexadecimal digits.
  public let fingerprint: String
  /// Alerts with the same key are sent in their order.
  public let orderingKey: String

  /// Creates an alert.
  ///
  /// - Parameters:
  ///   - id: Unique within the pipeline and the same in a replay.
  ///   - pipeline: The pipeline.
  ///   - rule: The rule.
  ///   - status: Whether the condition holds.
  ///   - labels: What identifies it; `alertname` and `pipeline` are added unless given.
  ///   - annotations: What describes it.
  ///   - fields: Further values.
  ///   - startsAt: When the condition began, in milliseconds since 1970.
  ///   - endsAt: When it ended; nil while firing.
  ///   - generatorURL: Where to look.
  ///   - orderingKey: The episode; nil for the fingerprint of the labels.
  public init(
    id: String, pipeline: String, rule: String, status: Status = .firing,
    labels: [Label] = [], annotations: [Label] = [], fields: [Field] = [], startsAt: Int64,
    endsAt: Int64? = nil, generatorURL: String = "", orderingKey: String? = nil
  ) {
    self.id = id
    self.pipeline = pipeline
    self.rule = rule
    self.status = status
    var all = labels
    for (name, value) in [("alertname", rule), ("pipeline", pipeline)]
    where !all.contains(where: { $0.name == name }) {
      all.append(Label(name, value))
    }
    self.labels = Self.sorted(all)
    self.annotations = Self.sorted(annotations)
    self.fields = fields
    self.startsAt = startsAt
    self.endsAt = endsAt
    self.generatorURL = generatorURL
    fingerprint = Self.fingerprint(self.labels)
    self.orderingKey = orderingKey ?? fingerprint
  }

  /// How much it matters among others of a message: its grade, otherwise its score.
  var weight: Double {
    for name in ["grade", "score"] {
      if case .number(let number)? = fields.first(where: { $0.name == name })?.value,
        number.isFinite
      {
        return number
      }
    }
    return 0
  }

  /// The value of a label.
  public func label(_ name: String) -> String? { labels.first { $0.name == name }?.value }

  /// Labels in the order of their names' bytes; of equal names the last stays.
  static func sorted(_ labels: [Label]) -> [Label] {
    var result: [Label] = []
    for label in labels {
      let index = result.firstIndex { !$0.name.utf8.lexicographicallyPrecedes(label.name.utf8) }
      switch index {
      case .some(let index) where result[index].name == label.name: result[index] = label
      case .some(let index): result.insert(label, at: index)
      case nil: result.append(label)
      }
    }
    return result
  }

  /// FNV-1a over name, 0xFF, value, 0xFF of every label.
  ///
  /// Source: prometheus/common, `model/signature.go`.
  static func fingerprint(_ labels: [Label]) -> String {
    var hash: UInt64 = 14_695_981_039_346_656_037
    func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
    for label in labels {
      label.name.utf8.forEach(add)
      add(0xFF)
      label.value.utf8.forEach(add)
      add(0xFF)
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

extension Alert.Value: CustomStringConvertible {
  /// The value as text; null is empty.
  public var description: String {
    switch self {
    case .number(let number): number.description
    case .integer(let number): String(number)
    case .text(let text): text
    case .boolean(let truth): String(truth)
    case .json(let text): text
    case .null: ""
    }
  }

  /// A text that is a JSON object or array; nil for any other text.
  public init?(json text: String) {
    guard let first = text.utf8.first(where: { $0 != 0x20 }), first == 0x7B || first == 0x5B else {
      return nil
    }
    do {
      _ = try JSONSerialization.jsonObject(with: Data(text.utf8))
    } catch {
      return nil
    }
    self = .json(text)
  }
}
