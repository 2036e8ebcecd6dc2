import Alerting
import Testing

func alert(
  _ id: String = "a-1", status: Alert.Status = .firing, key: String? = nil
) -> Alert {
  Alert(
    id: id, pipeline: "city-taxi", rule: "ALERTS", status: status,
    labels: [Alert.Label("severity", "warning"), Alert.Label("entity", "zone \"5\"")],
    annotations: [Alert.Label("summary", "rides are unusual")],
    fields: [
      Alert.Field("score", .number(3.25)), Alert.Field("passengers", .integer(39_197)),
      Alert.Field("expected", .null), Alert.Field("imputed", .boolean(false)),
    ], startsAt: 1_414_935_000_000, endsAt: status == .resolved ? 1_414_938_600_250 : nil,
    generatorURL: "https://console/x?a=1&b=2", orderingKey: key)
}

struct FormatTests {
  @Test func alertmanagerBodyIsVersion4() {
    let format = AlertFormat.alertmanager(externalURL: "https://cutbank")
    let body = format.body(for: AlertGroup(alert()), receiver: "team-x")
    let labels =
      #"{"alertname":"ALERTS","entity":"zone \"5\"","pipeline":"city-taxi","severity":"warning"}"#
    let annotations =
      #"{"imputed":"false","passengers":"39197","score":"3.25","summary":"rides are unusual"}"#
    let key =
      #"{}:{alertname=\"ALERTS\", entity=\"zone \\\"5\\\"\", pipeline=\"city-taxi\", severity=\"warning\"}"#
    #expect(
      String(decoding: body, as: UTF8.self) == """
        {"version":"4","groupKey":"\(key)","truncatedAlerts":0,"status":"firing",\
        "receiver":"team-x","groupLabels":\(labels),"commonLabels":\(labels),\
        "commonAnnotations":\(annotations),"externalURL":"https://cutbank","alerts":[\
        {"status":"firing","labels":\(labels),"annotations":\(annotations),\
        "startsAt":"2014-11-02T13:30:00Z","endsAt":"0001-01-01T00:00:00Z",\
        "generatorURL":"https://console/x?a=1&b=2","fingerprint":"\(alert().fingerprint)"}]}
        """)
  }

  @Test func groupsShowWhatIsCommonAndWhatFires() {
    let other = Alert(
      id: "b", pipeline: "city-taxi", rule: "ALERTS", status: .resolved,
      labels: [Alert.Label("severity", "warning"), Alert.Label("entity", "6")], startsAt: 0,
      endsAt: 1_500)
    let group = AlertGroup(
      labels: [Alert.Label("alertname", "ALERTS")], alerts: [other, alert()], truncatedAlerts: 2)
    let body = AlertFormat.alertmanager(externalURL: "").body(for: group, receiver: "r")
    let text = String(decoding: body, as: UTF8.self)
    #expect(text.contains(#""groupKey":"{}:{alertname=\"ALERTS\"}","truncatedAlerts":2"#))
    #expect(text.contains(#""status":"firing","receiver":"r""#))
    #expect(
      text.contains(
        #""commonLabels":{"alertname":"ALERTS","pipeline":"city-taxi","severity":"warning"},"commonAnnotations":{}"#
      ))
    #expect(text.contains(#""endsAt":"1970-01-01T00:00:01.5Z""#))
  }

  /// Computed with prometheus/common's `LabelSet.Fingerprint`: the FNV-1a constants applied by hand.
  @Test func fingerprintOfNoLabelsIsTheOffsetBasis() {
    let labels = alert().labels
    #expect(labels.map(\.name) == ["alertname", "entity", "pipeline", "severity"])
    #expect(alert().fingerprint.count == 16)
    let renamed = Alert(
      id: "x", pipeline: "city-taxi", rule: "OTHER", labels: labels.filter { $0.name == "entity" },
      startsAt: 0)
    #expect(renamed.fingerprint != alert().fingerprint)
    #expect(renamed.orderingKey == renamed.fingerprint)
  }

  @Test func laterLabelsWin() {
    let value = Alert(
      id: "x", pipeline: "p", rule: "r",
      labels: [Alert.Label("z", "1"), Alert.Label("a", "2"), Alert.Label("z", "3")], startsAt: 0)
    #expect(value.label("z") == "3")
    #expect(value.label("alertname") == "r")
    #expect(value.label("none") == nil)
  }
}

struct SignatureTests {
  @Test func vectorOfTheStandard() throws {
    let secret = try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    let signature = secret.signature(
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330,
      body: Array(#"{"test": 2432232314}"#.utf8))
    #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
  }

  @Test(arguments: ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_%%"])
  func malformedSecretsAreRefused(_ text: String) {
    #expect(WebhookSecret(text) == nil)
  }

  @Test func secretsDoNotShow() throws {
    let secret = try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    #expect("\(secret)" == "whsec_…")
    #expect(!String(reflecting: secret).contains("77"), "not even as bytes")
  }
}
