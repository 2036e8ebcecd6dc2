/// An `http` or `https` URL in its parts.
public struct WebURL: Hashable, Sendable, CustomStringConvertible {
  /// Whether it is `https`.
  public let isSecure: Bool
  /// The host without the brackets of an IPv6 address.
  public let host: String
  /// The port; 443 or 80 when the text has none.
  public let port: Int
  /// Path and query, from `/`.
  public let target: String
  private let hasDefaultPort: Bool

  /// Reads a URL; nil unless it is `http` or `https` with a host and without user name.
  public init?(_ text: String) {
    let scheme = text.prefix { $0 != ":" }.lowercased()
    guard scheme == "http" || scheme == "https", text.dropFirst(scheme.count).hasPrefix("://"),
      text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { return nil }
    isSecure = scheme == "https"
    let rest = text.dropFirst(scheme.count + 3)
    let authority = rest.prefix { !"/?#\\".contains($0) }
    let tail = rest.dropFirst(authority.count).prefix { $0 != "#" }
    guard !authority.contains("@"), !tail.hasPrefix("\\") else { return nil }
    target = tail.hasPrefix("/") ? String(tail) : "/" + tail
    let standard = isSecure ? 443 : 80
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      host = String(authority[authority.index(after: authority.startIndex)..<end]).lowercased()
      guard IPAddress(host) != nil, !host.contains("%"),
        let port = Self.port(authority[authority.index(after: end)...], standard)
      else { return nil }
      self.port = port
    } else {
      let name = authority.prefix { $0 != ":" }
      host = name.lowercased()
      let isValid = host.utf8.allSatisfy { byte in
        (97...122).contains(byte) || (48...57).contains(byte) || [45, 46, 95].contains(byte)
      }
      guard isValid, !host.isEmpty, host.utf8.count <= 253,
        let port = Self.port(authority.dropFirst(name.count), standard)
      else { return nil }
      self.port = port
    }
    hasDefaultPort = port == standard
  }

  private static func port(_ text: Substring, _ standard: Int) -> Int? {
    guard !text.isEmpty else { return standard }
    guard text.hasPrefix(":"), let port = Int(text.dropFirst()), (1...65_535).contains(port) else {
      return nil
    }
    return port
  }

  /// The value of the `Host` header.
  public var hostHeader: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return hasDefaultPort ? name : "\(name):\(port)"
  }

  /// The scheme and the host: what of a URL may be shown, since the rest can hold secrets.
  public var redacted: String { "\(isSecure ? "https" : "http")://\(hostHeader)/…" }

  /// The address that the host names without a look-up: a literal one, or that of `localhost`.
  public var literalAddress: IPAddress? {
    host == "localhost" ? IPAddress("127.0.0.1") : IPAddress(host)
  }

  /// The whole URL.
  public var text: String { "\(isSecure ? "https" : "http")://\(hostHeader)\(target)" }

  /// The redacted form, so that a log cannot show more.
  public var description: String { redacted }
}
