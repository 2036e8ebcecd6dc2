internal import Columns

extension BoundExpression {
  /// Whether both compute the same; the place in the program does not count.
  public static func == (left: Self, right: Self) -> Bool {
    guard left.kind == right.kind else { return false }
    // A column may have been given a wider type where it is used.
    if case .column = left.kind { return true }
    return left.type == right.type
  }

  /// The same expression of another type that needs no conversion.
  func retyped(_ type: ExpressionType) -> Self { Self(kind, type: type, position: position) }

  /// The operands.
  var children: [BoundExpression] {
    switch kind {
    case .column, .rowtime, .literal: []
    case .call(_, let arguments): arguments
    case .cast(let operand), .not(let operand), .negate(let operand), .isNull(let operand),
      .isBoolean(let operand, _):
      [operand]
    case .conditional(let branches, let otherwise):
      branches.flatMap { [$0.condition, $0.result] } + [otherwise]
    case .coalesce(let operands), .and(let operands), .or(let operands): operands
    case .comparison(_, let left, let right), .isNotDistinct(let left, let right),
      .arithmetic(_, let left, let right):
      [left, right]
    case .inList(let operand, let values): [operand] + values
    }
  }

  /// The columns that it reads, some perhaps more than once.
  public var columns: [Int] {
    if case .column(let index) = kind { return [index] }
    return children.flatMap(\.columns)
  }

  /// The expression with every part replaced for which `replacement` has an answer, outer parts first.
  func replacing<Failure: Error>(
    _ replacement: (BoundExpression) throws(Failure) -> BoundExpression?
  ) throws(Failure) -> BoundExpression {
    if let found = try replacement(self) { return found }
    func inner(_ part: BoundExpression) throws(Failure) -> BoundExpression {
      try part.replacing(replacement)
    }
    func all(_ parts: [BoundExpression]) throws(Failure) -> [BoundExpression] {
      var result: [BoundExpression] = []
      for part in parts { result.append(try part.replacing(replacement)) }
      return result
    }
    let rebuilt: Kind
    switch kind {
    case .column, .rowtime, .literal: return self
    case .call(let function, let arguments): rebuilt = .call(function, try all(arguments))
    case .cast(let operand): rebuilt = .cast(try inner(operand))
    case .not(let operand): rebuilt = .not(try inner(operand))
    case .negate(let operand): rebuilt = .negate(try inner(operand))
    case .isNull(let operand): rebuilt = .isNull(try inner(operand))
    case .isBoolean(let operand, let flag): rebuilt = .isBoolean(try inner(operand), flag)
    case .conditional(let branches, let otherwise):
      var replaced: [Branch] = []
      for branch in branches {
        replaced.append(
          Branch(condition: try inner(branch.condition), result: try inner(branch.result)))
      }
      rebuilt = .conditional(replaced, otherwise: try inner(otherwise))
    case .coalesce(let operands): rebuilt = .coalesce(try all(operands))
    case .and(let operands): rebuilt = .and(try all(operands))
    case .or(let operands): rebuilt = .or(try all(operands))
    case .comparison(let sign, let left, let right):
      rebuilt = .comparison(sign, try inner(left), try inner(right))
    case .isNotDistinct(let left, let right):
      rebuilt = .isNotDistinct(try inner(left), try inner(right))
    case .arithmetic(let sign, let left, let right):
      rebuilt = .arithmetic(sign, try inner(left), try inner(right))
    case .inList(let operand, let values): rebuilt = .inList(try inner(operand), try all(values))
    }
    return BoundExpression(rebuilt, type: type, position: position)
  }

  /// Whether a part, or the whole, satisfies `test`.
  func contains(_ test: (BoundExpression) -> Bool) -> Bool {
    test(self) || children.contains { $0.contains(test) }
  }

  /// The integer that a constant stores; nil if it is not constant, NULL or something else.
  var integerLiteral: Int64? {
    switch kind {
    case .literal(.integer(let value)): value
    case .negate(let operand): operand.integerLiteral.map { 0 &- $0 }
    default: nil
    }
  }

  /// Whether it is the constant NULL, whose type follows from its use.
  var isNullLiteral: Bool { kind == .literal(.null) }

  /// The text of a character constant.
  var textLiteral: String? {
    guard case .literal(.bytes(let bytes)) = kind, type.columnType?.isCharacter == true else {
      return nil
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
