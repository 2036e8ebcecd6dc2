import Foundation
import Synchronization
public import Transport

/// Where the keys of an object store come from; keys that end are fetched again in time.
///
/// Source: AWS SDKs and Tools Reference, "Credential provider chain": environment, then web
/// identity, then the shared credentials file.
public final class AccessKeySource: Sendable {
  private enum Origin {
    case fixed(AccessKeys)
    case file(path: String, profile: String)
    case webIdentity(tokenPath: String, role: String, session: String, endpoint: WebURL)
  }

  private static let renewalMilliseconds: Int64 = 300_000
  private static let fileMilliseconds: Int64 = 60_000
  private let origin: Origin
  private let connections: HTTPConnections
  private let threads: BlockingThreads
  private let time: any TimeSource
  private let cached = Mutex<(keys: AccessKeys, until: Int64)?>(nil)

  /// Always the same keys.
  public init(
    _ keys: AccessKeys, connections: HTTPConnections, threads: BlockingThreads,
    time: any TimeSource = SystemTime()
  ) {
    origin = .fixed(keys)
    self.connections = connections
    self.threads = threads
    self.time = time
  }

  /// The keys that the environment names.
  ///
  /// - Parameters:
  ///   - environment: The variables of the process.
  ///   - region: The region, for the token service.
  ///   - connections: The way to the token service.
  ///   - threads: Threads for reading files.
  ///   - time: The clock.
  /// - Throws: `SettingError` when the environment names none.
  public init(
    environment: [String: String], region: String, connections: HTTPConnections,
    threads: BlockingThreads, time: any TimeSource = SystemTime()
  ) throws(SettingError) {
    self.connections = connections
    self.threads = threads
    self.time = time
    if let id = environment["AWS_ACCESS_KEY_ID"], !id.isEmpty,
      let secret = environment["AWS_SECRET_ACCESS_KEY"], !secret.isEmpty
    {
      origin = .fixed(
        AccessKeys(id: id, secret: secret, sessionToken: environment["AWS_SESSION_TOKEN"]))
      return
    }
    if let tokenPath = environment["AWS_WEB_IDENTITY_TOKEN_FILE"],
      let role = environment["AWS_ROLE_ARN"]
    {
      let text = environment["AWS_ENDPOINT_URL_STS"] ?? "https://sts.\(region).amazonaws.com"
      guard let endpoint = WebURL(text) else {
        throw SettingError(
          setting: "AWS_ENDPOINT_URL_STS", message: "this is no URL", hint: "https://host")
      }
      origin = .webIdentity(
        tokenPath: tokenPath, role: role,
        session: environment["AWS_ROLE_SESSION_NAME"] ?? "cutbank", endpoint: endpoint)
      return
    }
    let home = environment["HOME"].map { $0 + "/.aws/credentials" }
    guard let path = environment["AWS_SHARED_CREDENTIALS_FILE"] ?? home else {
      throw SettingError(
        setting: "s3", message: "there are no access keys",
        hint: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    }
    origin = .file(path: path, profile: environment["AWS_PROFILE"] ?? "default")
  }

  /// The keys that hold now.
  ///
  /// - Throws: `DeliveryError` when they cannot be had.
  package func keys() async throws -> AccessKeys {
    if case .fixed(let keys) = origin { return keys }
    if let cached = cached.withLock({ $0 }), time.now < cached.until { return cached.keys }
    let keys = try await fetch()
    let until = keys.expiresAt.map { $0 - Self.renewalMilliseconds }
    cached.withLock { $0 = (keys, until ?? time.now + Self.fileMilliseconds) }
    return keys
  }

  private func fetch() async throws -> AccessKeys {
    switch origin {
    case .fixed(let keys): return keys
    case .file(let path, let profile):
      let text = try await read(path)
      guard let keys = Self.keys(inCredentialsFile: text, profile: profile) else {
        throw Self.failure("profile '\(profile)' of '\(path)' has no access keys")
      }
      return keys
    case .webIdentity(let tokenPath, let role, let session, let endpoint):
      let token = try await read(tokenPath).trimmingCharacters(in: .whitespacesAndNewlines)
      return try await assumeRole(role, session: session, token: token, at: endpoint)
    }
  }

  private func read(_ path: String) async throws -> String {
    do {
      return try await threads.run { try String(contentsOfFile: path, encoding: .utf8) }
    } catch {
      throw Self.failure("'\(path)' cannot be read")
    }
  }

  private func assumeRole(
    _ role: String, session: String, token: String, at endpoint: WebURL
  ) async throws -> AccessKeys {
    let form = SigV4.encode([
      ("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15"), ("RoleArn", role),
      ("RoleSessionName", session), ("WebIdentityToken", token),
    ])
    let response: HTTPExchangeResponse
    do {
      response = try await connections.send(
        HTTPExchangeRequest(
          method: "POST", url: endpoint,
          headers: [("content-type", "application/x-www-form-urlencoded")],
          body: Array(form.utf8)))
    } catch let failure as HTTPExchangeFailure {
      throw Self.failure("the token service cannot be reached: \(failure)")
    }
    let text = String(decoding: response.body, as: UTF8.self)
    guard response.status == 200, let id = XMLText.value("AccessKeyId", in: text),
      let secret = XMLText.value("SecretAccessKey", in: text),
      let sessionToken = XMLText.value("SessionToken", in: text)
    else {
      let reason = XMLText.value("Message", in: text) ?? "status \(response.status)"
      throw Self.failure("the token service gave no keys: \(reason)")
    }
    let expiration = XMLText.value("Expiration", in: text).flatMap {
      ISO8601DateFormatter().date(from: $0)
    }
    let expiresAt = expiration.map { Int64($0.timeIntervalSince1970 * 1_000) }
    return AccessKeys(
      id: id, secret: secret, sessionToken: sessionToken,
      expiresAt: expiresAt ?? time.now + 900_000)
  }

  private static func failure(_ message: String) -> DeliveryError {
    DeliveryError(
      code: "S3.NoAccessKeys", message: message,
      hint: "check AWS_ACCESS_KEY_ID, the credentials file or the web identity",
      remedy: .operatorAction)
  }

  /// The keys of a profile in the text of a credentials file, or nil.
  static func keys(inCredentialsFile text: String, profile: String) -> AccessKeys? {
    var values: [String: String] = [:]
    var isInProfile = false
    for line in text.split(whereSeparator: \.isNewline) {
      let line = line.trimmingCharacters(in: .whitespaces)
      if line.hasPrefix("[") {
        let name = line.dropFirst().prefix { $0 != "]" }.trimmingCharacters(in: .whitespaces)
        isInProfile = name == profile
      } else if isInProfile, !line.hasPrefix("#"), let equals = line.firstIndex(of: "=") {
        let name = line[..<equals].trimmingCharacters(in: .whitespaces)
        values[name] = line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
      }
    }
    guard let id = values["aws_access_key_id"], let secret = values["aws_secret_access_key"]
    else { return nil }
    return AccessKeys(id: id, secret: secret, sessionToken: values["aws_session_token"])
  }
}

/// Single values of small XML answers.
enum XMLText {
  /// The text of the first element of a name, or nil.
  static func value(_ name: String, in text: String) -> String? {
    values(name, in: text).first
  }

  /// The texts of all elements of a name.
  static func values(_ name: String, in text: String) -> [String] {
    text.components(separatedBy: "<\(name)>").dropFirst().compactMap { part in
      part.range(of: "</\(name)>").map { decoded(String(part[..<$0.lowerBound])) }
    }
  }

  private static func decoded(_ text: String) -> String {
    var result = text
    for (entity, character) in [
      ("&quot;", "\""), ("&#34;", "\""), ("&apos;", "'"), ("&lt;", "<"), ("&gt;", ">"),
      ("&amp;", "&"),
    ] {
      result = result.replacingOccurrences(of: entity, with: character)
    }
    return result
  }
}
