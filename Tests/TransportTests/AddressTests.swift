import Testing
import Transport

struct AddressTests {
  @Test(arguments: [
    "127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1",
    "169.254.169.254", "100.64.0.1", "100.127.255.255", "0.0.0.0", "224.0.0.1", "239.1.1.1",
    "255.255.255.255", "192.0.2.1", "198.18.0.1", "203.0.113.9", "::1", "::", "fe80::1",
    "febf::1", "fc00::1", "fd12:3456::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:8.8.8.8", "64:ff9b::a00:1", "64:ff9b::8.8.8.8", "::7f00:1", "2002:7f00:1::",
    "2001:db8::1", "fe80::1%eth0",
  ])
  func specialAddressesAreRefused(_ text: String) throws {
    #expect(!AddressPolicy().allows(try #require(IPAddress(text))))
    #expect(AddressPolicy.unrestricted.allows(try #require(IPAddress(text))))
  }

  @Test(arguments: [
    "8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0",
    "169.253.1.1", "192.167.1.1", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::8a",
  ])
  func publicAddressesAreAllowed(_ text: String) throws {
    #expect(AddressPolicy().allows(try #require(IPAddress(text))))
  }

  @Test func allowedBlocksAreExceptions() throws {
    let policy = AddressPolicy(
      allowed: ["127.0.0.0/8", "10.1.0.0/16", "fd00::/8"].compactMap { AddressBlock($0) })
    for text in ["127.0.0.1", "10.1.255.1", "fd00::1", "::ffff:127.0.0.1"] {
      #expect(policy.allows(try #require(IPAddress(text))), "\(text)")
    }
    for text in ["10.2.0.1", "fc00::1", "169.254.169.254", "::1"] {
      #expect(!policy.allows(try #require(IPAddress(text))), "\(text)")
    }
  }

  @Test(arguments: [
    "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.x", "+1.2.3.4", ":::", "1::2::3", "12345::",
    "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1.2.3", "g::", "localhost", "1:2:3:4:5:6:7:8::",
  ])
  func malformedAddressesAreNone(_ text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test(arguments: ["10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.0/x", "x/8", "10.0.0.0/8/8"])
  func malformedBlocksAreNone(_ text: String) {
    #expect(AddressBlock(text) == nil)
  }

  @Test func addressesPrintAsTheyRead() throws {
    for text in ["192.0.2.1", "2001:db8::1", "::", "::ffff:1.2.3.4"] {
      let address = try #require(IPAddress(text))
      #expect(IPAddress(address.description) == address)
    }
  }
}

struct WebURLTests {
  @Test func partsAreRead() throws {
    let url = try #require(WebURL("https://Example.com:8443/a/b?c=d#e"))
    #expect(url.isSecure && url.host == "example.com" && url.port == 8_443)
    #expect(url.target == "/a/b?c=d")
    #expect(url.hostHeader == "example.com:8443")
    #expect("\(url)" == "https://example.com:8443/…")
    let plain = try #require(WebURL("http://[::1]"))
    #expect(plain.host == "::1" && plain.port == 80 && plain.text == "http://[::1]/")
    #expect(try #require(WebURL("http://h?x=1")).target == "/?x=1")
  }

  @Test(arguments: [
    "ftp://h/", "https://", "https:///x", "https://user:pass@h/", "https://h:0/", "https://h:x/",
    "https://h:70000/", "https://a b/", "https://[::1", "https://[fe80::1%25eth0]/", "h/x",
    "https://h\\@evil/", "https://ä/",
  ])
  func malformedURLsAreNone(_ text: String) {
    #expect(WebURL(text) == nil)
  }
}

struct TextTests {
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"),
    ("\u{0}\u{1}ÿ~", "AAHDv34="),
  ])
  func base64Vectors(_ raw: String, _ encoded: String) {
    #expect(Base64.encode(Array(raw.utf8)) == encoded)
    #expect(Base64.decode(encoded) == Array(raw.utf8))
  }

  @Test(arguments: ["Z", "Zh==x", "Zm 8=", "Zg===", "Zh=="])
  func malformedBase64IsNone(_ text: String) {
    #expect(Base64.decode(text) == nil)
  }

  @Test func jsonIsEscaped() {
    var text = JSONText()
    text.object { text in
      text.member("a\"\\", "\u{1}\n\r\t\u{7F}é😀/")
      text.name("n")
      text.array { text in
        text.value(1.5)
        text.value(Double.nan)
        text.value(-7)
        text.value(true)
        text.null()
        text.object { _ in }
        text.fragment(Array("[1]".utf8))
      }
      text.member("t", time: -1)
    }
    #expect(
      String(decoding: text.bytes, as: UTF8.self)
        == #"{"a\"\\":"\u0001\n\r\t"# + "\u{7F}"
        + #"é😀/","n":[1.5,null,-7,true,null,{},[1]],"t":"1969-12-31T23:59:59.999Z"}"#)
  }

  @Test(arguments: [
    ("120", Int64(120_000)), (" 5 ", 5_000), ("0", 0), ("Tue, 14 Nov 2023 22:14:20 GMT", 60_000),
    ("Tue, 14 Nov 2023 22:13:00 GMT", 0),
  ])
  func retryAfter(_ value: String, _ delay: Int64) {
    #expect(RetryAfter.delay(value, now: 1_700_000_000_000) == delay)
  }

  @Test(arguments: ["", "soon", "-5", "1.5", "Tue, 14 Foo 2023 22:14:20 GMT"])
  func malformedRetryAfterIsNone(_ value: String) {
    #expect(RetryAfter.delay(value, now: 0) == nil)
  }

  @Test func backoffIsBoundedAndFull() {
    let backoff = Backoff(firstMilliseconds: 100, capMilliseconds: 5_000)
    #expect(
      (1...8).map { backoff.bound(failures: $0) } == [
        100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000,
      ])
    #expect(backoff.bound(failures: 1_000_000) == 5_000)
    var generator = SplitMix64(seed: 5)
    let delays = (0..<2_000).map { _ in backoff.delay(failures: 7, using: &generator) }
    #expect(delays.min()! < 100 && delays.max()! > 4_900)
  }

  /// First outputs for seed 1234567 as published with the reference implementation.
  @Test func splitMixVector() {
    var generator = SplitMix64(seed: 1_234_567)
    #expect(
      (0..<3).map { _ in generator.next() } == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
      ])
  }
}
