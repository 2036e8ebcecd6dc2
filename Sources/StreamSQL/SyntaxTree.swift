internal import Columns

/// A name as it was written, folded to upper case unless quoted.
struct Name: Hashable {
  let text: String
  let isQuoted: Bool
  let offset: Int

  /// The name as it must be written to be found.
  var quoted: String { "\"\(text)\"" }
}

/// A statement of a program.
struct Statement {
  enum Form {
    case createStream(CreateStream)
    case createPump(CreatePump)
    case createFunction(CreateFunction)
    case alterPump(Name, start: Bool)
    case dropPump(Name, ifExists: Bool)
    case dropStream(Name, ifExists: Bool)
    case dropFunction(Name, ifExists: Bool)
    case describe(Name)
    case explain(Name?)
    case show(String)
  }

  let form: Form
  let offset: Int
}

struct CreateStream {
  let name: Name
  let replaces: Bool
  let columns: [ColumnSyntax]
}

struct ColumnSyntax {
  let name: Name
  let type: TypeSyntax
  let isNullable: Bool
}

/// A type's name; intervals only within CAST.
struct TypeSyntax {
  let type: ExpressionType
  let offset: Int
}

struct CreatePump {
  let name: Name
  let replaces: Bool
  let isStarted: Bool
  let target: Name
  let columns: [Name]?
  let query: QuerySyntax
}

struct CreateFunction {
  let name: Name
  let replaces: Bool
  let parameters: [(name: Name, type: TypeSyntax)]
  let result: TypeSyntax
  let returnsNullOnNull: Bool
  let body: ExpressionSyntax
}

/// `SELECT`s, their union and the order of the result.
struct QuerySyntax {
  indirect enum Body {
    case select(SelectSyntax)
    case values([[ExpressionSyntax]])
    case unionAll([QuerySyntax])
    case nested(QuerySyntax)
  }

  let body: Body
  let orderBy: [OrderItem]
  let offset: Int
}

struct OrderItem {
  let expression: ExpressionSyntax
  let isDescending: Bool
}

struct SelectSyntax {
  let isDistinct: Bool
  let items: [SelectItem]
  let from: TableSyntax
  let condition: ExpressionSyntax?
  let grouping: GroupingSyntax?
  let having: ExpressionSyntax?
  let windows: [(name: Name, specification: WindowSyntax)]
  let offset: Int
  /// Where FROM stands.
  let fromOffset: Int
}

enum GroupingSyntax {
  case groupBy([ExpressionSyntax], offset: Int)
  case stagger(partitionBy: [ExpressionSyntax], length: ExpressionSyntax, offset: Int)

  var offset: Int {
    switch self {
    case .groupBy(_, let offset), .stagger(_, _, let offset): offset
    }
  }
}

enum SelectItem {
  case star(offset: Int)
  case qualifiedStar(Name)
  case expression(ExpressionSyntax, alias: Name?)

  var offset: Int {
    switch self {
    case .star(let offset): offset
    case .qualifiedStar(let name): name.offset
    case .expression(let expression, _): expression.offset
    }
  }
}

/// What FROM reads.
struct TableSyntax {
  indirect enum Form {
    case named(Name)
    case derived(QuerySyntax)
    case values([[ExpressionSyntax]])
    case function(TableCallSyntax)
    case join(TableSyntax, StreamJoin.Kind, TableSyntax, on: ExpressionSyntax?, isComma: Bool)
  }

  let form: Form
  let window: OverSyntax?
  let alias: Name?
  let columnAliases: [Name]
  let offset: Int
}

struct TableCallSyntax {
  enum Argument {
    case cursor(QuerySyntax, offset: Int)
    case table(Name)
    case descriptor(Name)
    case expression(ExpressionSyntax)
    case named(Name, ExpressionSyntax)
  }

  let name: Name
  let arguments: [Argument]
  let partitionBy: [ExpressionSyntax]
}

enum OverSyntax {
  case named(Name)
  case inline(WindowSyntax)
}

struct WindowSyntax {
  struct Frame {
    let isRows: Bool
    let start: Bound
    let end: Bound?
    let offset: Int
  }

  enum Bound {
    case unboundedPreceding
    case preceding(ExpressionSyntax)
    case currentRow
    case following(ExpressionSyntax)
    case unboundedFollowing
  }

  let partitionBy: [ExpressionSyntax]
  let orderBy: [OrderItem]
  let frame: Frame?
  let offset: Int
}

/// An expression as it was written.
struct ExpressionSyntax {
  indirect enum Form {
    case name([Name])
    case null
    case boolean(Bool?)
    case integer(String)
    case decimal(String)
    case approximate(String)
    case string(String)
    case binary([UInt8])
    case datetime(ColumnType, String)
    case interval(String, isNegative: Bool, IntervalQualifier)
    case negate(ExpressionSyntax)
    case not(ExpressionSyntax)
    case and([ExpressionSyntax])
    case or([ExpressionSyntax])
    case comparison(ComparisonOperator, ExpressionSyntax, ExpressionSyntax)
    case arithmetic(ArithmeticOperator, ExpressionSyntax, ExpressionSyntax)
    case concatenate(ExpressionSyntax, ExpressionSyntax)
    case between(
      ExpressionSyntax, ExpressionSyntax, ExpressionSyntax, symmetric: Bool, negated: Bool)
    case period(PeriodPredicate, PeriodSyntax, PeriodSyntax)
    case inList(ExpressionSyntax, [ExpressionSyntax], negated: Bool)
    case like(
      ExpressionSyntax, ExpressionSyntax, escape: ExpressionSyntax?, similar: Bool, negated: Bool)
    case isNull(ExpressionSyntax, negated: Bool)
    case isTruth(ExpressionSyntax, Bool?, negated: Bool)
    case isDistinct(ExpressionSyntax, ExpressionSyntax, negated: Bool)
    case conditional(
      ExpressionSyntax?, [(when: [ExpressionSyntax], then: ExpressionSyntax)],
      otherwise: ExpressionSyntax?)
    case cast(ExpressionSyntax, TypeSyntax)
    case extract(DatetimeUnit, ExpressionSyntax)
    case round(up: Bool, ExpressionSyntax, to: DatetimeUnit?)
    case step(ExpressionSyntax, by: ExpressionSyntax)
    case substring(
      ExpressionSyntax, from: ExpressionSyntax, length: ExpressionSyntax?, usesCommas: Bool)
    case substringSimilar(ExpressionSyntax, pattern: ExpressionSyntax, escape: ExpressionSyntax)
    case trim(FunctionID.TrimSide, ExpressionSyntax?, ExpressionSyntax)
    case overlay(
      ExpressionSyntax, ExpressionSyntax, from: ExpressionSyntax, length: ExpressionSyntax?)
    case position(ExpressionSyntax, in: ExpressionSyntax)
    case intervalOf(ExpressionSyntax, IntervalQualifier)
    case jsonValue(JSONValueSyntax)
    case call(CallSyntax)
  }

  let form: Form
  let offset: Int
  /// How deep the tree is; bounded so that walking it cannot exhaust the stack.
  let depth: Int
}

/// `JSON_VALUE(text, path [RETURNING type] [… ON EMPTY] [… ON ERROR])`.
struct JSONValueSyntax {
  /// What stands before ON EMPTY or ON ERROR.
  enum Behavior {
    case null
    case error
    case value(ExpressionSyntax)
  }

  let text: ExpressionSyntax
  let path: ExpressionSyntax
  let type: TypeSyntax?
  let onEmpty: Behavior
  let onError: Behavior
}

/// `(start, end)` of a temporal predicate; a point has no end.
struct PeriodSyntax {
  let start: ExpressionSyntax
  let end: ExpressionSyntax?
  let offset: Int
}

struct CallSyntax {
  let name: Name
  let arguments: [ExpressionSyntax]
  let isStar: Bool
  let isDistinct: Bool
  var fromLast: Bool?
  var ignoresNulls: Bool?
  /// `WITHIN GROUP (ORDER BY x)`.
  var withinGroup: OrderItem?
  var over: OverSyntax?
}
