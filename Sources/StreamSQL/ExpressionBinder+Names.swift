internal import Columns

extension ExpressionBinder {
  func resolve(_ parts: [Name]) throws(SQLError) -> BoundExpression {
    switch parts.count {
    case 1: return try resolve(parts[0])
    case 2:
      if let relation = relation(parts[0]) { return try resolve(parts[1], in: relation) }
      if let record = relations.lazy.flatMap(\.columns).first(where: {
        $0.name == parts[0].text && $0.fields != nil
      }) {
        return try resolve(parts[1], field: record)
      }
      throw unknownRelation(parts[0])
    case 3:
      guard let relation = relation(parts[0]) else { throw unknownRelation(parts[0]) }
      guard let record = relation.columns.first(where: { $0.name == parts[1].text }) else {
        throw unknownColumn(parts[1], among: relation.columns)
      }
      return try resolve(parts[2], field: record)
    default:
      throw SQLError("a name has at most three parts", at: parts[3].offset)
    }
  }

  private func resolve(_ name: Name) throws(SQLError) -> BoundExpression {
    if clause == .orderBy, let item = aliases.first(where: { $0.name == name.text }) {
      return item.expression
    }
    if name.text == "ROWTIME", clause != .functionBody { return try ownRowtime(at: name.offset) }
    let found = relations.flatMap { relation in
      relation.columns.filter { $0.name == name.text }.map { (relation, $0) }
    }
    if found.count > 1, found.contains(where: { !$0.1.isMetadata }) || relations.count > 1 {
      let owners = found.compactMap { $0.0.name }
      throw SQLError(
        "column \(name.quoted) is ambiguous", at: name.offset,
        hint: owners.isEmpty
          ? "give the queries in FROM aliases"
          : "write \(owners.map { "\($0).\(name.text)" }.joined(separator: " or "))")
    }
    if let (_, column) = found.first { return try reference(column, at: name.offset) }
    if name.text.uppercased() == "ROWTIME", clause != .functionBody {
      return try ownRowtime(at: name.offset)
    }
    throw unknownColumn(name, among: relations.flatMap(\.columns))
  }

  private func ownRowtime(at offset: Int) throws(SQLError) -> BoundExpression {
    if bindsProducedRowtime {
      return make(.column(Placeholder.producedRowtime), .timestamp, at: offset)
    }
    if clause == .join {
      throw SQLError(
        "ROWTIME is ambiguous in ON", at: offset,
        hint: "name the side: \(relations.compactMap(\.name).first ?? "s").ROWTIME")
    }
    guard relations.contains(where: \.hasRowtime) else {
      throw SQLError("there is no ROWTIME here", at: offset)
    }
    return make(.rowtime, .timestamp, at: offset)
  }

  private func resolve(_ name: Name, in relation: Relation) throws(SQLError) -> BoundExpression {
    let isRowtime = name.text.uppercased() == "ROWTIME"
    if isRowtime, relation.hasRowtime {
      if let column = relation.rowtimeColumn {
        return make(.column(column), .timestamp, at: name.offset)
      }
      return make(.rowtime, .timestamp, at: name.offset)
    }
    guard let column = relation.columns.first(where: { $0.name == name.text }) else {
      if isRowtime {
        throw SQLError("a reference table has no ROWTIME", at: name.offset)
      }
      throw unknownColumn(name, among: relation.columns)
    }
    return try reference(column, at: name.offset)
  }

  private func resolve(_ name: Name, field record: ScopeColumn) throws(SQLError) -> BoundExpression
  {
    guard let fields = record.fields else {
      throw SQLError(
        "\(record.name) has no fields: its type is \(record.type)", at: name.offset,
        hint: "only the result of a log-parsing function has fields")
    }
    guard let field = fields.first(where: { $0.name == name.text }) else {
      throw unknownColumn(name, among: fields)
    }
    return try reference(field, at: name.offset)
  }

  private func reference(_ column: ScopeColumn, at offset: Int) throws(SQLError) -> BoundExpression
  {
    if let fields = column.fields {
      throw SQLError(
        "\(column.name) is a record", at: offset,
        hint: "name one of its fields: \(column.name).\(fields.first?.name ?? "COLUMN1")")
    }
    return make(.column(column.index), column.type, at: offset)
  }

  func relation(_ name: Name) -> Relation? {
    relations.first { $0.name == name.text }
      ?? relations.first { $0.hiddenName == name.text }
  }

  private func unknownRelation(_ name: Name) -> SQLError {
    let known = relations.compactMap(\.name)
    return SQLError(
      "there is no stream or alias \(name.quoted) in FROM", at: name.offset,
      hint: Spelling.hint(name, among: known)
        ?? (known.isEmpty ? nil : "FROM has \(known.joined(separator: ", "))"))
  }

  private func unknownColumn(_ name: Name, among columns: [ScopeColumn]) -> SQLError {
    let names = columns.map(\.name)
    if aliasNames.contains(name.text), clause != .selectList {
      return SQLError(
        "there is no column \(name.quoted), only an alias of the select list", at: name.offset,
        hint: "aliases are not known in \(clause.rawValue): repeat the expression")
    }
    let list = columns.filter { !$0.isMetadata }.prefix(12).map(\.name).joined(separator: ", ")
    return SQLError(
      "there is no column \(name.quoted)", at: name.offset,
      hint: Spelling.hint(name, among: names) ?? (list.isEmpty ? nil : "the columns are \(list)"))
  }
}

/// Guesses what a misspelt name was meant to be.
enum Spelling {
  /// A hint that names the nearest of `known`, or nil if none is near.
  static func hint(_ name: Name, among known: [String]) -> String? {
    if let other = known.first(where: { $0.uppercased() == name.text.uppercased() }) {
      if other == other.uppercased() {
        return "the name is \(other): write it without quotes, or as \"\(other)\""
      }
      return "the name is \(other): write it in quotes, \"\(other)\""
    }
    return nearest(name.text, among: known).map { "did you mean \($0)?" }
  }

  /// The known name with the fewest edits, at most a third of its length.
  static func nearest(_ text: String, among known: [String]) -> String? {
    let wanted = Array(text.uppercased().unicodeScalars.prefix(64))
    var best: (distance: Int, name: String)?
    for candidate in known {
      let other = Array(candidate.uppercased().unicodeScalars.prefix(64))
      let distance = distance(wanted, other)
      if distance * 3 <= max(wanted.count, 3), distance < best?.distance ?? .max {
        best = (distance, candidate)
      }
    }
    return best?.name
  }

  private static func distance(_ left: [UnicodeScalar], _ right: [UnicodeScalar]) -> Int {
    var row = Array(0...right.count)
    for (i, scalar) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, other) in right.enumerated() {
        let replaced = diagonal + (scalar == other ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[right.count]
  }
}
