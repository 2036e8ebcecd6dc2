import Codecs
import Columns
import Foundation

extension CaseDeclaration.Source {
  /// The text of a row whose binary values may be base64, as `cutbank sql` writes them, or `X'…'`, as the
  /// decoder reads them.
  func rowText(_ row: JSONDocument, _ line: [UInt8]) -> [UInt8] {
    let binary = columns.filter { $0.type.isBinary }.map(\.name)
    guard !binary.isEmpty, let members = row.members else { return line }
    let rewritten = members.map { member in
      guard binary.contains(member.name), let text = member.value.text,
        let data = Data(base64Encoded: text)
      else { return member }
      let digits = data.map { byte in
        (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
      return JSONDocument.Member(name: member.name, value: .string("X'\(digits.joined())'"))
    }
    return Array(JSONDocument.object(rewritten).description.utf8)
  }
}
