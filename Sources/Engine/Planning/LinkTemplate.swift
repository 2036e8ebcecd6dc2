import Alerting
import Transport

/// A link with places for values of a row: `https://grafana/d/1?var-host={{HOST}}`.
struct LinkTemplate: Sendable {
  private enum Part: Sendable {
    case text(String)
    case column(String)
  }

  private var parts: [Part] = []

  init(_ text: String) {
    var rest = Substring(text)
    while let start = rest.firstRange(of: "{{"),
      let end = rest[start.upperBound...].firstRange(
        of: "}}")
    {
      parts.append(.text(String(rest[..<start.lowerBound])))
      let name = rest[start.upperBound..<end.lowerBound]
      parts.append(.column(name.filter { $0 != " " }))
      rest = rest[end.upperBound...]
    }
    parts.append(.text(String(rest)))
  }

  /// The columns that the link names.
  var columns: [String] {
    parts.compactMap { if case .column(let name) = $0 { name } else { nil } }
  }

  /// The link for the values of a row, by column; what is not unreserved in a URI is encoded.
  func link(_ value: (String) -> String) -> String {
    parts.reduce(into: "") { link, part in
      switch part {
      case .text(let text): link += text
      case .column(let name): link += Self.encoded(value(name))
      }
    }
  }

  private static func encoded(_ text: String) -> String {
    text.utf8.reduce(into: "") { result, byte in
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "."), UInt8(ascii: "~"):
        result.unicodeScalars.append(Unicode.Scalar(byte))
      default: result += "%" + Hexadecimal.encode([byte]).uppercased()
      }
    }
  }
}
