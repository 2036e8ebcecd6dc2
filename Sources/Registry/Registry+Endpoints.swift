import GRDB

/// A model version behind an endpoint.
public struct EndpointVariant: Hashable, Sendable {
  /// The name that rows carry, unique within the configuration.
  public var name: String
  /// The model.
  public var model: String
  /// The version.
  public var version: Int
  /// Its share of keys is the weight over the sum of weights; 0 serves nothing.
  public var weight: Double
  /// Whether it only scores along and its results go nowhere but into counters.
  public var isShadow: Bool

  /// Creates a variant.
  public init(
    name: String, model: String, version: Int, weight: Double = 1, isShadow: Bool = false
  ) {
    self.name = name
    self.model = model
    self.version = version
    self.weight = weight
    self.isShadow = isShadow
  }
}

/// What serves under a name.
public struct Endpoint: Hashable, Sendable {
  /// Where a rollout stands.
  public enum Phase: String, Sendable {
    case inService = "InService"
    case shadow = "Shadow"
    case canary = "Canary"
    /// The candidate was taken back; what was before serves.
    case rolledBack = "RolledBack"
  }

  /// The name, as SQL writes it.
  public let name: String
  /// The number of the configuration; rises with every change.
  public let configuration: Int64
  /// The configuration that was in service before, if any.
  public let previous: Int64?
  /// Where the rollout stands.
  public let phase: Phase
  /// Since when, milliseconds since 1970.
  public let changedAt: Int64
  /// The variants in order.
  public let variants: [EndpointVariant]

  /// Creates an endpoint that no registry holds.
  public init(
    name: String, configuration: Int64, previous: Int64?, phase: Phase, changedAt: Int64,
    variants: [EndpointVariant]
  ) {
    self.name = name
    self.configuration = configuration
    self.previous = previous
    self.phase = phase
    self.changedAt = changedAt
    self.variants = variants
  }

  /// The variant that serves the greatest share: the champion.
  public var champion: EndpointVariant? {
    var best: EndpointVariant?
    for variant in variants where !variant.isShadow && variant.weight > (best?.weight ?? 0) {
      best = variant
    }
    return best
  }
}

extension Registry {
  /// Gives an endpoint a new configuration.
  ///
  /// - Parameters:
  ///   - name: The endpoint; made when there is none.
  ///   - variants: At least one production variant with a weight above 0; names differ.
  ///   - phase: Where the rollout stands with it.
  ///   - reason: Goes into the audit trail.
  ///   - expected: The configuration that must be the present one; nil for whatever it is.
  ///   - actor: Who does it.
  ///   - now: When.
  /// - Returns: The endpoint as it is now.
  /// - Throws: `RegistryError` when the variants do not serve or somebody else was quicker.
  @discardableResult
  public func deploy(
    _ name: String, variants: [EndpointVariant], phase: Endpoint.Phase, reason: String,
    expected: Int64? = nil, by actor: String, at now: Int64
  ) throws -> Endpoint {
    guard variants.contains(where: { !$0.isShadow && $0.weight > 0 }) else {
      throw RegistryError("endpoint '\(name)' would have no variant that serves")
    }
    guard Set(variants.map(\.name)).count == variants.count else {
      throw RegistryError("two variants of endpoint '\(name)' have the same name")
    }
    return try database.write { database in
      let present = try Self.endpoint(name, in: database)
      if let expected, present?.configuration != expected {
        throw RegistryError("endpoint '\(name)' was changed by somebody else")
      }
      try database.execute(
        sql: "INSERT INTO endpoint_configuration (endpoint, created_at) VALUES (?, ?)",
        arguments: [name, now])
      let configuration = database.lastInsertedRowID
      for (position, variant) in variants.enumerated() {
        try database.execute(
          sql: """
            INSERT INTO variant (configuration, position, name, model, version, weight, shadow)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
          arguments: [
            configuration, position, variant.name, variant.model, variant.version,
            variant.weight, variant.isShadow,
          ])
      }
      // What a rollout goes back to is what was in service before it began.
      let serves = present?.phase == .inService || present?.phase == .rolledBack
      let previous = serves ? present?.configuration : present?.previous
      try database.execute(
        sql: """
          INSERT INTO endpoint (name, configuration, previous, phase, changed_at)
          VALUES (?, ?, ?, ?, ?)
          ON CONFLICT (name) DO UPDATE SET configuration = excluded.configuration,
            previous = excluded.previous, phase = excluded.phase, changed_at = excluded.changed_at
          """, arguments: [name, configuration, previous, phase.rawValue, now])
      let shares = variants.map { variant in
        "\(variant.name) \(variant.model)/\(variant.version) "
          + (variant.isShadow ? "shadow" : "weight \(variant.weight)")
      }.joined(separator: ", ")
      try Self.note(
        phase.rawValue, "endpoint \(name)", "\(shares): \(reason)", by: actor, at: now,
        in: database)
      guard let endpoint = try Self.endpoint(name, in: database) else {
        throw RegistryError("endpoint '\(name)' is not there after it was written")
      }
      return endpoint
    }
  }

  /// Goes back to the configuration that was in service before the present one.
  ///
  /// - Throws: `RegistryError` when there is none.
  @discardableResult
  public func rollBack(
    _ name: String, reason: String, by actor: String, at now: Int64
  ) throws -> Endpoint {
    guard let present = try endpoint(name) else { throw Self.noEndpoint(name) }
    guard let previous = present.previous else {
      throw RegistryError(
        "endpoint '\(name)' has nothing to go back to",
        hint: "promote another version: cutbank models promote MODEL VERSION")
    }
    let variants = try database.read { try Self.variants(of: previous, in: $0) }
    return try deploy(
      name, variants: variants, phase: .rolledBack, reason: reason,
      expected: present.configuration, by: actor, at: now)
  }

  /// An endpoint; nil when there is none.
  public func endpoint(_ name: String) throws -> Endpoint? {
    try database.read { try Self.endpoint(name, in: $0) }
  }

  /// All endpoints by name.
  public func endpoints() throws -> [Endpoint] {
    try database.read { database in
      try String.fetchAll(database, sql: "SELECT name FROM endpoint ORDER BY name")
        .compactMap { try Self.endpoint($0, in: database) }
    }
  }

  static func noEndpoint(_ name: String) -> RegistryError {
    RegistryError(
      "there is no endpoint '\(name)'", hint: "`cutbank models list` shows what there is")
  }

  private static func endpoint(_ name: String, in database: Database) throws -> Endpoint? {
    guard
      let row = try Row.fetchOne(
        database, sql: "SELECT * FROM endpoint WHERE name = ?", arguments: [name])
    else { return nil }
    return Endpoint(
      name: name, configuration: row["configuration"], previous: row["previous"],
      phase: Endpoint.Phase(rawValue: row["phase"]) ?? .inService, changedAt: row["changed_at"],
      variants: try variants(of: row["configuration"], in: database))
  }

  private static func variants(
    of configuration: Int64, in database: Database
  ) throws -> [EndpointVariant] {
    try Row.fetchAll(
      database, sql: "SELECT * FROM variant WHERE configuration = ? ORDER BY position",
      arguments: [configuration]
    ).map { row in
      EndpointVariant(
        name: row["name"], model: row["model"], version: row["version"], weight: row["weight"],
        isShadow: row["shadow"])
    }
  }
}
