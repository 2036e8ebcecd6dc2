/// An IPv4 or IPv6 address.
public struct IPAddress: Hashable, Sendable {
  /// 4 or 16 bytes in network order.
  public let bytes: [UInt8]

  /// Reads an address such as `192.0.2.1`, `2001:db8::1` or `::ffff:192.0.2.1`.
  ///
  /// Nil when it is none. A zone (`%eth0`) is left out.
  public init?(_ text: String) {
    let bare = text.prefix { $0 != "%" }
    guard let bytes = bare.contains(":") ? Self.version6(bare) : Self.version4(bare) else {
      return nil
    }
    self.bytes = bytes
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// The IPv4 address within `::ffff:0:0/96` or `64:ff9b::/96`, or nil.
  public var embedded: IPAddress? {
    let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
    let translated: [UInt8] = [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0]
    guard bytes.count == 16, bytes.starts(with: mapped) || bytes.starts(with: translated) else {
      return nil
    }
    return IPAddress(bytes: Array(bytes[12...]))
  }

  private static func version4(_ text: Substring) -> [UInt8]? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let bytes = parts.compactMap { part in
      part.utf8.allSatisfy { (48...57).contains($0) } ? UInt8(part) : nil
    }
    return parts.count == 4 && bytes.count == 4 ? bytes : nil
  }

  private static func version6(_ text: Substring) -> [UInt8]? {
    let halves = text.split(separator: "::", omittingEmptySubsequences: false)
    let runs = halves.compactMap(groups)
    guard runs.count == halves.count, runs.count <= 2, let head = runs.first else { return nil }
    guard runs.count == 2 else { return head.count == 16 ? head : nil }
    let zeros = 16 - head.count - runs[1].count
    return zeros >= 2 ? head + [UInt8](repeating: 0, count: zeros) + runs[1] : nil
  }

  private static func groups(_ text: Substring) -> [UInt8]? {
    guard !text.isEmpty else { return [] }
    var bytes: [UInt8] = []
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
      if index == parts.count - 1, part.contains(".") {
        guard let tail = version4(part) else { return nil }
        bytes += tail
      } else {
        guard part.utf8.count <= 4, !part.hasPrefix("+"), let group = UInt16(part, radix: 16)
        else { return nil }
        bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
      }
    }
    return bytes
  }
}

/// A block of addresses such as `10.0.0.0/8`.
public struct AddressBlock: Hashable, Sendable {
  private let base: IPAddress
  private let bits: Int

  /// Reads `10.0.0.0/8`, `fc00::/7` or a single address; nil when it is none.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let base = IPAddress(String(parts[0])) else { return nil }
    let width = base.bytes.count * 8
    guard let bits = parts.count == 2 ? Int(parts[1]) : width, (0...width).contains(bits) else {
      return nil
    }
    self.base = base
    self.bits = bits
  }

  /// Whether the block holds an address.
  public func contains(_ address: IPAddress) -> Bool {
    guard address.bytes.count == base.bytes.count else { return false }
    for index in 0..<base.bytes.count {
      let used = min(8, max(0, bits - 8 * index))
      let mask = UInt8(truncatingIfNeeded: 0xFF00 >> used)
      if (address.bytes[index] ^ base.bytes[index]) & mask != 0 { return false }
    }
    return true
  }
}

/// Which addresses and ports requests may go to: public ones, and those that a user allows.
///
/// Sources: IANA special-purpose address registries; OWASP "Server-Side Request Forgery Prevention".
public struct AddressPolicy: Hashable, Sendable {
  /// Blocks that are allowed although they are special.
  public var allowed: [AddressBlock]
  /// Whether every address is allowed, for destinations that only the operator names.
  public var allowsEverything: Bool

  /// Creates a policy that refuses special addresses but those in `allowed`.
  public init(allowed: [AddressBlock] = []) {
    self.allowed = allowed
    allowsEverything = false
  }

  /// No address is refused.
  public static var unrestricted: AddressPolicy {
    var policy = AddressPolicy()
    policy.allowsEverything = true
    return policy
  }

  private static let special = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "::/96", "::ffff:0:0/96",
    "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
    "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
  ].compactMap { AddressBlock($0) }

  /// Whether requests may go to an address.
  public func allows(_ address: IPAddress) -> Bool {
    if allowsEverything { return true }
    let plain = address.embedded ?? address
    if allowed.contains(where: { $0.contains(plain) || $0.contains(address) }) { return true }
    return !Self.special.contains { $0.contains(address) || $0.contains(plain) }
  }
}

extension IPAddress: CustomStringConvertible {
  /// The address as text.
  public var description: String {
    guard bytes.count == 16 else { return bytes.map { String($0) }.joined(separator: ".") }
    return stride(from: 0, to: 16, by: 2).map { index in
      String(Int(bytes[index]) << 8 | Int(bytes[index + 1]), radix: 16)
    }.joined(separator: ":")
  }
}
