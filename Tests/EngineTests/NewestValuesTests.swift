import Engine
import RandomCutForest
import Testing

@Suite struct NewestValuesTests {
  /// Beside a model that has everything: the same values from one period on, and as many as fit.
  @Test(arguments: 0..<20 as Range<UInt64>) func theNewestPeriodsAreKept(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let limit = Int(random.next(upperBound: UInt64(40))) + 1
    var newest = NewestValues(limit: limit)
    var all: [(key: String, period: Int, value: Float)] = []
    for number in 0..<Int(random.next(upperBound: UInt64(200))) {
      let key = "k\(random.next(upperBound: UInt64(4)))"
      // Roughly in the order of time.
      let period = number / 3 + Int(random.next(upperBound: UInt64(5)))
      newest.add(Float(number), period: period, to: key)
      all.append((key, period, Float(number)))
      #expect(newest.count <= limit + limit / 4)
    }
    newest.trim()
    let kept = all.filter { $0.period >= newest.firstPeriod ?? .min }
    #expect(newest.count <= limit && newest.count == kept.count)
    for key in Set(all.map(\.key)) {
      let values = kept.filter { $0.key == key }.map(\.value)
      #expect(newest.series[key]?.map(\.value) ?? [] == values)
    }
  }

  @Test func whatFitsIsNotTouched() {
    var newest = NewestValues(limit: 3)
    for period in 0..<3 { newest.add(1, period: period, to: "a") }
    newest.trim()
    #expect(newest.count == 3 && newest.firstPeriod == nil)
    newest.add(1, period: 3, to: "b")
    newest.trim()
    #expect(newest.count == 3 && newest.firstPeriod == 1 && newest.series["a"]?.count == 2)
  }
}
