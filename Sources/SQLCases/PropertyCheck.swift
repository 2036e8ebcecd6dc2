/// The properties by which cases judge randomised functions.
struct PropertyCheck {
  let property: JSONDocument
  let rows: [JSONDocument]
  let input: [JSONDocument]

  /// A property whose parameters or rows do not have the expected form.
  private struct Malformed: Error { let message: String }

  /// What is wrong; nothing when the property holds.
  func differences() -> [String] {
    let name = property["name"]?.text ?? "?"
    do {
      return try check(name).map { "\(name): \($0)" }
    } catch let error as Malformed {
      return ["\(name): \(error.message)"]
    } catch {
      return ["\(name): \(error)"]
    }
  }

  private func integer(_ key: String) throws -> Int {
    guard let value = property[key]?.integer else {
      throw Malformed(message: "'\(key)' is missing")
    }
    return value
  }

  private func text(_ key: String) throws -> String {
    guard let value = property[key]?.text else { throw Malformed(message: "'\(key)' is missing") }
    return value
  }

  private func numbers(_ column: String) throws -> [Double] { try numbers(column, in: rows[...]) }

  private func numbers(
    _ column: String, in rows: ArraySlice<JSONDocument>
  ) throws -> [Double] {
    try rows.map { row in
      guard let value = row[column]?.double else {
        throw Malformed(message: "column \(column) is not a number in \(row)")
      }
      return value
    }
  }

  private func check(_ name: String) throws -> [String] {
    switch name {
    case "row-count":
      return rows.count == (try integer("rows")) ? [] : ["\(rows.count) rows"]
    case "rowtime-nondecreasing":
      let times = rows.map { $0["rowtime"]?.text ?? "" }
      return times == times.sorted() ? [] : ["ROWTIME decreases"]
    case "passthrough": return passthrough()
    case "leading-zero":
      // NULL is no score and so not above zero.
      let column = try text("column")
      let leading = rows.prefix(try integer("rows")).map { $0[column] }
      if leading.contains(nil) { throw Malformed(message: "there is no column \(column)") }
      return leading.firstIndex { $0 != .null && $0?.double != 0 }.map {
        ["the score of row \($0) is not zero"]
      } ?? []
    case "positive-after":
      let from = try integer("from")
      let rest = try numbers(text("column"), in: rows.dropFirst(from))
      return rest.firstIndex { $0 <= 0 }.map {
        ["the score of row \(from + $0) is not positive"]
      } ?? []
    case "all-positive":
      let scores = try numbers(text("column"))
      return !scores.isEmpty && scores.allSatisfy { $0 > 0 } ? [] : ["a score is not positive"]
    case "top-rows": return try topRows()
    case "max-within":
      let scores = try numbers(text("column"))
      let top = scores.indices.max { scores[$0] < scores[$1] } ?? -1
      return (try integer("from"))...(try integer("to")) ~= top ? [] : ["the maximum is row \(top)"]
    case "explanation-shape": return try explanationShape()
    case "attribution-sum": return try attributionSum()
    case "explained": return try explained()
    case "hotspots-shape": return try hotspotsShape()
    case "hotspot-at": return try hotspotAt()
    default: throw Malformed(message: "there is no such property")
    }
  }

  private func passthrough() -> [String] {
    let columns = property["columns"]?.elements?.compactMap(\.text) ?? []
    for (index, (row, other)) in zip(input, rows).enumerated() {
      let isEqual =
        row["rowtime"] == other["rowtime"]
        && columns.allSatisfy { column in
          guard let left = row[column], let right = other[column] else { return false }
          return CaseCheck.equal(left, right, tolerance: 1e-6)
        }
      if !isEqual { return ["row \(index) is changed: \(row) became \(other)"] }
    }
    return []
  }

  private func topRows() throws -> [String] {
    let scores = try numbers(text("column"))
    let wanted = (property["rows"]?.elements ?? []).compactMap(\.integer).sorted()
    let order = scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }
    let top = order.prefix(wanted.count).sorted()
    return top == wanted ? [] : ["the highest rows are \(top)"]
  }

  private func document(_ row: JSONDocument) throws -> JSONDocument {
    guard let text = row[try text("column")]?.text else { throw Malformed(message: "no JSON text") }
    return try JSONDocument(text.utf8)
  }

  private func explanationShape() throws -> [String] {
    let keys = (property["keys"]?.elements ?? []).compactMap(\.text)
    var wanted: Set = ["ATTRIBUTION_SCORE"]
    if property["direction"]?.boolean == true { wanted.formUnion(["DIRECTION", "STRENGTH"]) }
    for (index, row) in rows.enumerated() {
      let members = try document(row).members ?? []
      guard members.map(\.name) == keys else { return ["the keys are \(members.map(\.name))"] }
      for member in members {
        let parts = member.value.members ?? []
        let decimals = member.value["ATTRIBUTION_SCORE"]?.text?.split(
          separator: ".", omittingEmptySubsequences: false
        ).last?.count
        let direction = member.value["DIRECTION"]?.text ?? "LOW"
        guard Set(parts.map(\.name)) == wanted, parts.allSatisfy({ $0.value.text != nil }),
          decimals == 4, ["HIGH", "LOW"].contains(direction)
        else { return ["row \(index): \(member.value)"] }
      }
    }
    return []
  }

  private func attributionSum() throws -> [String] {
    guard let tolerance = property["tol"]?.double else { throw Malformed(message: "no 'tol'") }
    let scores = try numbers(text("score"))
    for (index, row) in rows.enumerated() {
      let parts = try document(row).members ?? []
      let total = parts.reduce(0.0) {
        $0 + ($1.value["ATTRIBUTION_SCORE"]?.text.flatMap(Double.init) ?? .nan)
      }
      let isClose = abs(total - scores[index]) <= tolerance + 1e-3 * scores[index]
      if !isClose { return ["row \(index): the sum is \(total), the score \(scores[index])"] }
    }
    return []
  }

  /// The row that a property names; negative numbers count from the end.
  private func namedRow() throws -> JSONDocument {
    let number = try integer("row")
    let index = number < 0 ? rows.count + number : number
    guard rows.indices.contains(index) else {
      throw Malformed(message: "there is no row \(number)")
    }
    return rows[index]
  }

  private func explained() throws -> [String] {
    let parts = try document(namedRow()).members ?? []
    func score(_ member: JSONDocument.Member) -> Double {
      member.value["ATTRIBUTION_SCORE"]?.text.flatMap(Double.init) ?? 0
    }
    guard let top = parts.max(by: { score($0) < score($1) }) else { return ["it is empty"] }
    let isRight =
      try top.name == text("key") && top.value["DIRECTION"]?.text == text("direction")
    return isRight ? [] : ["\(top.name): \(top.value)"]
  }

  private struct Hotspot {
    let density: Double
    let minimum: [Double]
    let maximum: [Double]
  }

  private func hotspots(_ row: JSONDocument) throws -> [Hotspot] {
    guard let list = try document(row)["hotspots"]?.elements else {
      throw Malformed(message: "there is no list 'hotspots'")
    }
    return list.map { spot in
      Hotspot(
        density: spot["density"]?.double ?? 0,
        minimum: (spot["minValues"]?.elements ?? []).compactMap(\.double),
        maximum: (spot["maxValues"]?.elements ?? []).compactMap(\.double))
    }
  }

  private func hotspotsShape() throws -> [String] {
    let dimensions = try integer("dims")
    for (index, row) in rows.enumerated() {
      for spot in try hotspots(row) {
        guard spot.density > 0, spot.minimum.count == dimensions,
          spot.maximum.count == dimensions,
          zip(spot.minimum, spot.maximum).allSatisfy({ $0 <= $1 })
        else { return ["row \(index): \(spot)"] }
      }
    }
    return []
  }

  private func hotspotAt() throws -> [String] {
    let point = (property["point"]?.elements ?? []).compactMap(\.double)
    let box = (property["box"]?.elements ?? []).map { ($0.elements ?? []).compactMap(\.double) }
    let all = try hotspots(namedRow())
    let covering = all.filter { spot in
      zip(point, zip(spot.minimum, spot.maximum)).allSatisfy { $1.0 <= $0 && $0 <= $1.1 }
    }
    guard covering.count == 1, let spot = covering.first else {
      return ["\(covering.count) hot spots cover the point: \(all)"]
    }
    let isInside = zip(box, zip(spot.minimum, spot.maximum)).allSatisfy { limits, range in
      limits.count == 2 && limits[0] <= range.0 && range.1 <= limits[1]
    }
    return isInside ? [] : ["\(spot) is not inside the box"]
  }
}
