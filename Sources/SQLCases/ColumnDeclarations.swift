import Codecs
import Columns
import StreamSQL

/// Collects all errors of a declaration, so that they are told together.
struct DeclarationReader {
  private(set) var errors: [String] = []

  mutating func report(_ error: String) { errors.append(error) }

  /// The columns of a source or table: `[name, type]` each, a path behind them where records have one.
  mutating func columns(_ owner: String, _ declaration: JSONDocument) -> [ColumnDefinition] {
    guard let elements = declaration["columns"]?.elements, !elements.isEmpty else {
      report("\(owner): 'columns' is missing or empty; it is a list of [name, type]")
      return []
    }
    var columns: [ColumnDefinition] = []
    for element in elements {
      guard let parts = element.elements, parts.count >= 2, let name = parts[0].text,
        let type = parts[1].text
      else {
        report("\(owner): \(element) is no column; a column is [name, type] or [name, type, path]")
        continue
      }
      if columns.contains(where: { $0.name == name }) {
        report("\(owner): column \(name) is declared twice")
        continue
      }
      do throws(ColumnTypeError) {
        columns.append(ColumnDefinition(name: name, type: try ColumnType(sql: type)))
      } catch {
        report("\(owner), column \(name): \(error)")
      }
    }
    return columns
  }

  /// Where a value lies in a record.
  mutating func path(_ text: String, _ owner: String) -> JSONPath {
    do throws(JSONPathError) {
      return try JSONPath(text)
    } catch {
      report("\(owner): the path '\(text)' cannot be read: \(error)")
      return .root
    }
  }

  /// Ends the reading.
  ///
  /// - Throws: `CaseError` with everything that was reported.
  func finish() throws(CaseError) {
    guard errors.isEmpty else { throw CaseError(errors.joined(separator: "\n  ")) }
  }
}
