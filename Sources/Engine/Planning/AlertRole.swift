/// The values that people look for in every alert, and the columns that are known to hold them.
enum AlertRole: String, CaseIterable, Sendable {
  case actual
  case expected
  case lower
  case upper
  case grade
  case score
  case threshold
  case confidence
  case attribution
  case windowStart = "window_start"
  case windowEnd = "window_end"
  case modelVersion = "model_version"

  /// The columns that hold the value unless `values` of the webhook says otherwise: those that the
  /// functions of the application add, or others under the role's name.
  var columns: [String] {
    let own = [rawValue, rawValue.uppercased()]
    return switch self {
    case .score: ["ANOMALY_SCORE"] + own
    case .grade: ["ANOMALY_GRADE"] + own
    case .attribution: ["ANOMALY_EXPLANATION"] + own
    default: own
    }
  }
}
