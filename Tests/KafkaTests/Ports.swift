import Glibc

/// Ports of the loopback address that nobody listens on at this moment.
func freePorts(_ count: Int) throws -> [UInt16] {
  var sockets: [Int32] = []
  defer { sockets.forEach { close($0) } }
  return try (0..<count).map { _ in
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    sockets.append(socket)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let error = withUnsafeMutablePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(socket, address, size) | getsockname(socket, address, &size)
      }
    }
    guard error == 0 else { throw TimedOut(description: "no free port: errno \(errno)") }
    return UInt16(bigEndian: address.sin_port)
  }
}
