import Demo

/// What a demo puts into its topic, and the pipeline that it runs on it.
struct DemoMaterial {
  /// The name of the pipeline.
  let name: String
  /// The topic that the pipeline reads.
  let topic: String
  /// Times in milliseconds since 1970 UTC and JSON texts.
  let records: [(time: Int64, json: String)]
  /// The pipeline's file.
  let pipeline: [UInt8]
  /// The file of its application.
  let application: [UInt8]

  /// Passengers by half hour.
  static func cityTaxi(_ rides: [Ride]) -> Self {
    Self(
      name: "city-taxi", topic: "city-taxi", records: rides.map { ($0.pickupTime, $0.json) },
      pipeline: PackageResources.city_taxi_yaml, application: PackageResources.city_taxi_sql)
  }

  /// Pickups by place.
  static func pickups(_ pickups: [Pickup]) -> Self {
    Self(
      name: "hotspots", topic: "pickups", records: pickups.map { ($0.time, $0.json) },
      pipeline: PackageResources.hotspots_yaml, application: PackageResources.hotspots_sql)
  }
}
