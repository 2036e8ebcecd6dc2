import Alerting
import Foundation
import RimSupport
import Testing
import Transport

private func text(_ format: AlertFormat, _ group: AlertGroup) -> String {
  String(decoding: format.body(for: group, receiver: "r"), as: UTF8.self)
}

private func parsed(_ format: AlertFormat, _ group: AlertGroup) throws -> [String: Any] {
  let body = Data(format.body(for: group, receiver: "r"))
  return try #require(try JSONSerialization.jsonObject(with: body) as? [String: Any])
}

private let labels =
  #"{"alertname":"ALERTS","entity":"zone \"5\"","pipeline":"city-taxi","severity":"warning"}"#
private let canonical =
  #"{"id":"a-1","pipeline":"city-taxi","rule":"ALERTS","status":"firing","labels":\#(labels),"#
  + #""annotations":{"summary":"rides are unusual"},"values":{"score":3.25,"passengers":39197,"#
  + #""expected":null,"imputed":false},"startsAt":"2014-11-02T13:30:00Z","endsAt":null,"#
  + #""generatorURL":"https://console/x?a=1&b=2","fingerprint":"\#(alert().fingerprint)"}"#

struct OtherFormatTests {
  @Test func pagerDutyTriggersAndResolves() throws {
    let body = text(.pagerDuty(routingKey: "secret"), AlertGroup(alert(key: "episode")))
    let key = try #require(
      try parsed(.pagerDuty(routingKey: ""), AlertGroup(alert(key: "episode")))["dedup_key"]
        as? String)
    #expect(key.count == 64)
    #expect(
      body == """
        {"event_action":"trigger","dedup_key":"\(key)","payload":{"summary":"rides are unusual",\
        "source":"zone \\"5\\"","severity":"warning","timestamp":"2014-11-02T13:30:00Z",\
        "component":"ALERTS","group":"city-taxi","class":"anomaly","custom_details":\(canonical)},\
        "client":"Cutbank","client_url":"https://console/x?a=1&b=2",\
        "links":[{"href":"https://console/x?a=1&b=2","text":"Look at it"}]}
        """)
    #expect(!body.contains("secret"), "the outbox holds no secrets")
    let end = try parsed(
      .pagerDuty(routingKey: ""), AlertGroup(alert("a-2", status: .resolved, key: "episode")))
    #expect(end["event_action"] as? String == "resolve")
    #expect(end["dedup_key"] as? String == key)
  }

  @Test func pagerDutyEventsStayBelowTheLimit() throws {
    let long = String(repeating: "é", count: 300_000)
    let huge = Alert(
      id: "x", pipeline: "p", rule: "r", annotations: [Alert.Label("summary", long)], startsAt: 0)
    let event = try parsed(.pagerDuty(routingKey: ""), AlertGroup(huge))
    let payload = try #require(event["payload"] as? [String: Any])
    #expect((payload["summary"] as? String)?.count == 1_024)
    #expect(payload["custom_details"] == nil)
    #expect(payload["severity"] as? String == "warning" && payload["source"] as? String == "p")
  }

  @Test func slackMessagesAreEscaped() throws {
    let odd = Alert(
      id: "x", pipeline: "p", rule: "r", labels: [Alert.Label("entity", "<a&b>")],
      fields: [Alert.Field("n<", .number(1.5)), Alert.Field("none", .null)], startsAt: 5_000)
    #expect(
      text(.slack, AlertGroup(odd)) == """
        {"text":"[FIRING] r firing on &lt;a&amp;b&gt;","attachments":[{"color":"warning",\
        "fallback":"r firing on &lt;a&amp;b&gt;","title":"&lt;a&amp;b&gt;",\
        "text":"r firing on &lt;a&amp;b&gt;",\
        "fields":[{"title":"n&lt;","value":"1.5","short":true}],"footer":"p · r","ts":5}]}
        """)
    let many = AlertGroup(
      labels: [], alerts: (0..<14).map { alert("\($0)", status: .resolved) }, truncatedAlerts: 298)
    let message = try parsed(.slack, many)
    #expect(message["text"] as? String == "[RESOLVED] ALERTS: 312 alerts resolved (+302 more)")
    let attachments = try #require(message["attachments"] as? [[String: Any]])
    #expect(attachments.count == 10 && attachments[0]["color"] as? String == "good")
  }

  @Test func cloudEventsAreStructured() throws {
    #expect(
      text(.cloudEvents, AlertGroup(alert())) == """
        {"specversion":"1.0","id":"a-1","source":"/pipelines/city-taxi/rules/ALERTS",\
        "type":"io.cutbank.anomaly.opened","subject":"zone \\"5\\"",\
        "time":"2014-11-02T13:30:00Z","datacontenttype":"application/json",\
        "severitytext":"warning","data":\(canonical)}
        """)
    let end = try parsed(.cloudEvents, AlertGroup(alert(status: .resolved)))
    #expect(end["type"] as? String == "io.cutbank.anomaly.closed")
    #expect(end["time"] as? String == "2014-11-02T14:30:00.25Z")
    let digest = try parsed(
      .cloudEvents,
      AlertGroup(
        labels: [], alerts: [alert(), alert("b")], truncatedAlerts: 3, messageID: "msg_1"))
    #expect(digest["id"] as? String == "msg_1")
    #expect(digest["type"] as? String == "io.cutbank.anomaly.digest")
    #expect(AlertFormat.cloudEvents.contentType == "application/cloudevents+json")
  }

  @Test func alertmanagersOwnAPI() {
    let annotations =
      #"{"imputed":"false","passengers":"39197","score":"3.25","summary":"rides are unusual"}"#
    #expect(
      text(.alertmanagerAPI, AlertGroup(alert())) == """
        [{"labels":\(labels),"annotations":\(annotations),"startsAt":"2014-11-02T13:30:00Z",\
        "endsAt":"9999-12-31T23:59:59Z","generatorURL":"https://console/x?a=1&b=2"}]
        """)
    #expect(
      text(.alertmanagerAPI, AlertGroup(alert(status: .resolved)))
        .contains(#""endsAt":"2014-11-02T14:30:00.25Z""#))
  }
}

struct TemplateTests {
  @Test func placesAreFilledByWhereTheyStand() throws {
    let template = try AlertTemplate(
      #"""
      {"t": "{{ rule }}: {{labels.entity}} \" {{values.score}}", "s": {{values.score}},
       "e": {{endsAt}}, "n": {{count}}, "l": {{labels}}, "x": {{labels.none}}, "q": "{{labels}}"}
      """#)
    #expect(
      text(.template(template), AlertGroup(alert())) == #"""
        {"t": "ALERTS: zone \"5\" \" 3.25", "s": 3.25,
         "e": null, "n": 1, "l": \#(labels), "x": null, "q": "\#(labels.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\""))"}
        """#)
  }

  @Test(arguments: [
    (#"{"a": {{nothing}}}"#, 7, "unknown"), (#"{"a": {{labels.}}}"#, 7, "unknown"),
    (#"{"a": "{{rule""#, 8, "not closed"), (#"{"a": x{{rule}}}"#, 17, "no JSON"),
    (#"{"a": {{rule}}"#, 15, "no JSON"),
  ])
  func refusals(_ text: String, _ column: Int, _ message: String) throws {
    let error = try #require(throws: TemplateError.self) { try AlertTemplate(text) }
    #expect(error.message.contains(message), "\(error)")
    #expect(abs(error.column - column) <= 1)
  }

  /// Whatever an alert holds, the body is JSON.
  @Test func noAlertBreaksATemplate() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SplitMix64(seed: seed)
    let template = try AlertTemplate(
      #"{"a":"{{summary}}{{labels.x}}{{values.v}}","b":{{labels.x}},"c":{{values.v}},"d":{{alerts}},"e":"{{alerts}}"}"#
    )
    let alphabet = Array("\"\\{}\n\u{0}\u{1F}\u{7F}é😀/a:,[]")
    for _ in 0..<500 {
      let word = String(
        (0..<generator.below(12)).map { _ in alphabet[generator.below(alphabet.count)] })
      let value: Alert.Value =
        generator.below(2) == 0 ? .text(word) : .number(Double(bitPattern: generator.next()))
      let alert = Alert(
        id: word, pipeline: word, rule: word, labels: [Alert.Label("x", word)],
        annotations: [Alert.Label("summary", word)], fields: [Alert.Field("v", value)],
        startsAt: Int64(truncatingIfNeeded: generator.next() >> 20))
      let body = AlertFormat.template(template).body(for: AlertGroup(alert), receiver: "r")
      #expect(throws: Never.self, "seed \(seed)") {
        try JSONSerialization.jsonObject(with: Data(body))
      }
    }
  }
}
