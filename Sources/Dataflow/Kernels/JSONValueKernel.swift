import Columns
import StreamSQL

/// JSON_VALUE: the scalar at a path of a JSON text, as a value of the result's type.
final class JSONValueKernel: Kernel {
  private let text: Kernel
  private let path: Kernel
  private let type: ColumnType
  private let onEmpty: Fallback
  private let onError: Fallback
  /// The path of the row before in its compiled form.
  private var compiledPath: (text: [UInt8], path: JSONScalarPath?)?

  private enum Fallback {
    case null
    case failure
    case value(Kernel)
  }

  init(
    _ arguments: [Kernel], onEmpty: FunctionID.JSONFallback, onError: FunctionID.JSONFallback,
    type: ColumnType
  ) {
    text = arguments[0]
    path = arguments[1]
    self.type = type
    var values = arguments.dropFirst(2)
    func fallback(_ kind: FunctionID.JSONFallback) -> Fallback {
      switch kind {
      case .null: return .null
      case .failure: return .failure
      case .value: return values.popFirst().map(Fallback.value) ?? .null
      }
    }
    self.onEmpty = fallback(onEmpty)
    self.onError = fallback(onError)
    super.init(
      storage: type.storage,
      canFail: onEmpty == .failure || onError == .failure || arguments.contains { $0.canFail })
  }

  override func evaluate(
    _ input: Batch, _ rows: Rows, _ evaluation: inout Evaluation, _ pool: inout StringPool
  ) -> Column {
    let texts = text.evaluate(input, rows, &evaluation, &pool)
    let paths = path.evaluate(input, rows, &evaluation, &pool)
    var result = Column(zeros: input.count, storage: storage)
    result.nulls.formUnion(texts.nulls)
    result.nulls.formUnion(paths.nulls)
    var empty: [Int32] = []
    var wrong: [Int32] = []
    rows.forEach { row in
      if result.isNull(row) || evaluation.failed[row] { return }
      let document = Array(pool.bytes[pool.range(of: texts.texts[row])])
      switch find(document, Array(pool.bytes[pool.range(of: paths.texts[row])])) {
      case .scalar(let value):
        if !set(value, at: row, &result, &pool) { wrong.append(Int32(row)) }
      case .null: result.setNull(at: row)
      case .empty: empty.append(Int32(row))
      case .malformed: wrong.append(Int32(row))
      }
    }
    apply(onEmpty, Rows(count: input.count, selected: empty), input, &result, &evaluation, &pool) {
      "JSON_VALUE finds nothing at its path"
    }
    apply(onError, Rows(count: input.count, selected: wrong), input, &result, &evaluation, &pool) {
      "JSON_VALUE finds no \(type) at its path"
    }
    return result
  }

  private func find(_ document: [UInt8], _ text: [UInt8]) -> JSONScalar {
    if compiledPath?.text != text { compiledPath = (text, JSONScalarPath(text)) }
    guard let path = compiledPath?.path else { return .malformed }
    return JSONScalar(in: document, at: path)
  }

  /// Stores a scalar; false if it is none of the result's type.
  private func set(
    _ value: [UInt8], at row: Int, _ result: inout Column, _ pool: inout StringPool
  ) -> Bool {
    if case .varchar(let length) = type {
      let end = value.count <= length ? value.count : byteOffset(of: length, in: value[...])
      let cut = Array(value[..<end])
      result.texts[row] = pool.intern(cut.span)
      return true
    }
    switch TextParser.parse(value[...], as: type) {
    case .integer(let number): result.integers[row] = number
    case .floating(let number): result.doubles[row] = number
    case .invalid: return false
    }
    return true
  }

  private func apply(
    _ fallback: Fallback, _ rows: Rows, _ input: Batch, _ result: inout Column,
    _ evaluation: inout Evaluation, _ pool: inout StringPool, _ message: () -> String
  ) {
    if rows.activeCount == 0 { return }
    switch fallback {
    case .null: rows.forEach { result.setNull(at: $0) }
    case .failure: rows.forEach { evaluation.fail($0, .badArgument, message()) }
    case .value(let kernel):
      let values = kernel.evaluate(input, rows, &evaluation, &pool)
      rows.forEach { result.copyValue(at: $0, from: values) }
    }
  }
}
