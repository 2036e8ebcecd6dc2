import Foundation
import Transport

/// A template that is refused.
public struct TemplateError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The place in the template's text, in characters from 1.
  public let column: Int
  /// What is wrong, in lower case without a full stop.
  public let message: String
  /// How to put it right.
  public let hint: String

  /// The error as one line.
  public var description: String { "template, column \(column): \(message) (hint: \(hint))" }
}

/// A JSON body of the user's with places such as `{{summary}}` or `{{labels.entity}}`.
///
/// A place within a JSON string takes the escaped text, a place outside the JSON value, so that no
/// alert can make the body invalid.
public struct AlertTemplate: Hashable, Sendable {
  private enum Part: Hashable {
    case literal([UInt8])
    case text(Place)
    case value(Place)
  }

  private enum Place: Hashable {
    case member(String)
    case label(String)
    case annotation(String)
    case field(String)
  }

  private static let members = [
    "id", "pipeline", "rule", "status", "summary", "severity", "entity", "startsAt", "endsAt",
    "generatorURL", "fingerprint", "groupKey", "count", "truncatedAlerts", "labels",
    "annotations", "values", "alerts",
  ]

  private let parts: [Part]

  /// Reads a template and renders samples with it.
  ///
  /// - Throws: `TemplateError` at an unknown place, or when the result is no JSON.
  public init(_ text: String) throws(TemplateError) {
    var parts: [Part] = []
    var literal: [UInt8] = []
    var isInString = false
    var isEscaped = false
    let characters = Array(text)
    var index = 0
    while index < characters.count {
      let character = characters[index]
      if character == "{", index + 1 < characters.count, characters[index + 1] == "{" {
        let place = try Self.place(characters, &index)
        parts.append(.literal(literal))
        literal = []
        parts.append(isInString ? .text(place) : .value(place))
        continue
      }
      if isEscaped {
        isEscaped = false
      } else if character == "\\" && isInString {
        isEscaped = true
      } else if character == "\"" {
        isInString.toggle()
      }
      literal += String(character).utf8
      index += 1
    }
    parts.append(.literal(literal))
    self.parts = parts
    try check(length: characters.count)
  }

  private static func place(
    _ characters: [Character], _ index: inout Int
  ) throws(TemplateError) -> Place {
    let start = index
    var end = index + 2
    while end + 1 < characters.count, characters[end] != "}" || characters[end + 1] != "}" {
      end += 1
    }
    guard end + 1 < characters.count else {
      throw TemplateError(
        column: start + 1, message: "the place is not closed", hint: "end it with }}")
    }
    index = end + 2
    let name = String(characters[(start + 2)..<end]).trimmingCharacters(in: .whitespaces)
    let pieces = name.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
      .map(String.init)
    switch (pieces.first, pieces.count) {
    case ("labels", 2) where !pieces[1].isEmpty: return .label(pieces[1])
    case ("annotations", 2) where !pieces[1].isEmpty: return .annotation(pieces[1])
    case ("values", 2) where !pieces[1].isEmpty: return .field(pieces[1])
    case (let member?, 1) where members.contains(member): return .member(member)
    default:
      throw TemplateError(
        column: start + 1, message: "'\(name)' is unknown",
        hint: "use \(members.joined(separator: ", ")), labels.NAME, annotations.NAME, values.NAME")
    }
  }

  /// Renders alerts with and without everything; the result has to be JSON.
  private func check(length: Int) throws(TemplateError) {
    let bare = Alert(id: "", pipeline: "", rule: "", startsAt: 0)
    let odd = Alert(
      id: "\"\\\n", pipeline: "p", rule: "r", status: .resolved,
      labels: [Alert.Label("entity", "\"")],
      fields: [
        Alert.Field("score", .number(.infinity)), Alert.Field("t", .text("\"")),
        Alert.Field("attribution", .json("{\"a\":1}")),
      ],
      startsAt: -1, endsAt: 1)
    for group in [AlertGroup(bare), AlertGroup(labels: [], alerts: [odd, bare])] {
      do {
        let data = Data(body(for: group))
        _ = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
      } catch {
        throw TemplateError(
          column: length, message: "the result is no JSON",
          hint: "quote text, and leave places that stand for whole values without quotes")
      }
    }
  }

  /// The body for a group of alerts; single places are about its first alert.
  func body(for group: AlertGroup) -> [UInt8] {
    var bytes: [UInt8] = []
    for part in parts {
      switch part {
      case .literal(let literal): bytes += literal
      case .text(let place): JSONText.appendEscaped(text(of: place, in: group), to: &bytes)
      case .value(let place):
        var value = JSONText()
        write(place, of: group, to: &value)
        bytes += value.bytes
      }
    }
    return bytes
  }

  /// What a place within a string stands for: text as it is, everything else as JSON.
  private func text(of place: Place, in group: AlertGroup) -> String {
    let alert = group.alerts[0]
    switch place {
    case .label(let name): return alert.label(name) ?? ""
    case .annotation(let name):
      return alert.annotations.first { $0.name == name }?.value ?? ""
    case .field(let name):
      return alert.fields.first { $0.name == name }?.value.description ?? ""
    case .member(let name):
      if let text = member(name, of: group) { return text }
      var value = JSONText()
      write(place, of: group, to: &value)
      return String(decoding: value.bytes, as: UTF8.self)
    }
  }

  private func write(_ place: Place, of group: AlertGroup, to text: inout JSONText) {
    let alert = group.alerts[0]
    switch place {
    case .label(let name): write(alert.label(name), to: &text)
    case .annotation(let name):
      write(alert.annotations.first { $0.name == name }?.value, to: &text)
    case .field(let name):
      (alert.fields.first { $0.name == name }?.value ?? .null).write(to: &text)
    case .member("labels"): Alert.write(alert.labels, to: &text)
    case .member("annotations"): Alert.write(alert.annotations, to: &text)
    case .member("values"): alert.writeFields(to: &text)
    case .member("count"): text.value(group.alerts.count + group.truncatedAlerts)
    case .member("truncatedAlerts"): text.value(group.truncatedAlerts)
    case .member("endsAt") where alert.endsAt == nil: text.null()
    case .member("alerts"):
      text.array { text in
        for alert in group.alerts { alert.write(to: &text) }
      }
    case .member(let name): write(member(name, of: group), to: &text)
    }
  }

  private func write(_ value: String?, to text: inout JSONText) {
    if let value { text.value(value) } else { text.null() }
  }

  /// A member that is a text, or nil.
  private func member(_ name: String, of group: AlertGroup) -> String? {
    let alert = group.alerts[0]
    switch name {
    case "id": return alert.id
    case "pipeline": return alert.pipeline
    case "rule": return alert.rule
    case "status": return (group.isFiring ? Alert.Status.firing : .resolved).rawValue
    case "summary": return group.summary
    case "severity": return alert.severity
    case "entity": return alert.entity
    case "startsAt": return JSONText.rfc3339(alert.startsAt)
    case "endsAt": return alert.endsAt.map(JSONText.rfc3339) ?? ""
    case "generatorURL": return alert.generatorURL
    case "fingerprint": return alert.fingerprint
    case "groupKey": return group.key
    default: return nil
    }
  }
}
