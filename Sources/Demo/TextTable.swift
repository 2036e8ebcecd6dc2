/// Rows of text in aligned columns.
public struct TextTable {
  /// On which side a column's texts stand.
  public enum Alignment: Sendable {
    case left, right
  }

  private let headings: [String]
  private let alignments: [Alignment]
  private var rows: [[String]] = []

  /// An empty table.
  public init(_ columns: [(heading: String, alignment: Alignment)]) {
    headings = columns.map(\.heading)
    alignments = columns.map(\.alignment)
  }

  /// Adds a row with one text for each column.
  public mutating func add(_ row: [String]) {
    precondition(row.count == headings.count, "a text for each column")
    rows.append(row)
  }

  /// The lines of the table: headings, a rule, the rows.
  public func lines(unicode: Bool) -> [String] {
    let widths = headings.indices.map { column in
      ([headings] + rows).map { $0[column].count }.max() ?? 0
    }
    let rule = widths.map { String(repeating: unicode ? "─" : "-", count: $0) }
    return ([headings, rule] + rows).map { row in
      let cells = row.indices.map { column -> String in
        let blanks = String(repeating: " ", count: widths[column] - row[column].count)
        return alignments[column] == .left ? row[column] + blanks : blanks + row[column]
      }
      var line = cells.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}
