import CKernels
import COpenBLAS

/// Number of rows, sums and sums of products: what PCA needs to know of the rows, mergeable.
struct Moments {
  let dimensions: Int
  private let stride: Int
  private let shift: [Float]
  private(set) var rowCount = 0
  private var sums: [Double]
  private var products: [Double]
  private var widened: [Double] = []
  private static let rowsAtOnce = 256

  /// No rows yet; `shift` is near their mean, so that products of large values do not hide small
  /// differences.
  init(shift: [Float]) {
    self.shift = shift
    dimensions = shift.count
    stride = (shift.count + 15) / 16 * 16
    sums = [Double](repeating: 0, count: stride)
    products = [Double](repeating: 0, count: stride * stride)
    widened = [Double](repeating: 0, count: stride * Self.rowsAtOnce)
  }

  /// Adds rows.
  mutating func add(_ rows: [Float]) {
    let count = rows.count / dimensions
    var start = 0
    while start < count {
      let some = min(Self.rowsAtOnce, count - start)
      rows.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        // `some` rows fit `widened`, and lie within `rows`; no pointer is kept.
        km_widen(base + start * dimensions, some, dimensions, shift, stride, &widened, &sums)
      }
      if dimensions < 256 {
        km_products(widened, some, stride, &products)
      } else {
        cblas_dsyrk(
          CblasRowMajor, CblasUpper, CblasTrans, Int32(stride), Int32(some), 1, widened,
          Int32(stride), 1, &products, Int32(stride))
      }
      start += some
    }
    rowCount += count
  }

  /// The mean of the rows.
  var mean: [Double] {
    (0..<dimensions).map { Double(shift[$0]) + sums[$0] / Double(max(1, rowCount)) }
  }

  /// The covariance over n - 1, or the mean product over n when the mean is kept; its upper half.
  func covariance(subtractingMean: Bool) -> [Double] {
    let n = Double(rowCount)
    var matrix = [Double](repeating: 0, count: dimensions * dimensions)
    for i in 0..<dimensions {
      for j in i..<dimensions {
        let product = products[i * stride + j]
        let value =
          subtractingMean
          ? (product - sums[i] * sums[j] / n) / max(1, n - 1)
          : (product + Double(shift[i]) * sums[j] + Double(shift[j]) * sums[i]
            + n * Double(shift[i]) * Double(shift[j])) / n
        matrix[i * dimensions + j] = value
        matrix[j * dimensions + i] = value
      }
    }
    return matrix
  }
}

/// Linear algebra of BLAS and LAPACK, on one thread.
enum LinearAlgebra {
  /// Eigenvalues of a symmetric matrix, the greatest first, and the eigenvectors, row after row;
  /// nil when the iteration fails.
  static func eigen(
    symmetric matrix: [Double], size: Int
  ) -> (values: [Double], vectors: [Double])? {
    precondition(matrix.count == size * size)
    openblas_set_num_threads(1)
    var a = matrix
    var values = [Double](repeating: 0, count: size)
    var n = Int32(size)
    var status: Int32 = 0
    var workSize: Int32 = -1
    var integerSize: Int32 = -1
    var work = [0.0]
    var integers: [Int32] = [0]
    // The first call only asks how much room the second needs.
    dsyevd_("V", "L", &n, &a, &n, &values, &work, &workSize, &integers, &integerSize, &status)
    guard status == 0 else { return nil }
    workSize = Int32(work[0])
    integerSize = integers[0]
    work = [Double](repeating: 0, count: Int(workSize))
    integers = [Int32](repeating: 0, count: Int(integerSize))
    dsyevd_("V", "L", &n, &a, &n, &values, &work, &workSize, &integers, &integerSize, &status)
    guard status == 0 else { return nil }
    // LAPACK's columns are our rows; the least eigenvalue comes first.
    let vectors = (0..<size).reversed().flatMap { a[($0 * size)..<(($0 + 1) * size)] }
    return (values.reversed(), vectors)
  }

  /// a × b of row-major matrices: rows × inner and inner × columns.
  static func product(
    _ a: [Double], _ b: [Double], rows: Int, inner: Int, columns: Int,
    transposingSecond: Bool = false
  ) -> [Double] {
    precondition(a.count >= rows * inner && b.count >= inner * columns)
    openblas_set_num_threads(1)
    var result = [Double](repeating: 0, count: rows * columns)
    guard rows > 0, inner > 0, columns > 0 else { return result }
    cblas_dgemm(
      CblasRowMajor, CblasNoTrans, transposingSecond ? CblasTrans : CblasNoTrans, Int32(rows),
      Int32(columns), Int32(inner), 1, a, Int32(inner), b,
      Int32(transposingSecond ? inner : columns), 0, &result, Int32(columns))
    return result
  }
}
