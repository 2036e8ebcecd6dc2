/// Small numbers in the order of their last use; every step takes the same time.
package struct UseOrder {
  private static let none: Int32 = -1
  private static let absent: Int32 = -2

  private var older: [Int32] = []
  private var newer: [Int32] = []
  private var first = UseOrder.none
  private var last = UseOrder.none

  /// Without numbers.
  package init() {}

  /// The number whose last use is the longest ago, or nil.
  package var oldest: Int? { first < 0 ? nil : Int(first) }

  /// All numbers, the oldest use first.
  package var numbers: [Int] {
    var found: [Int] = []
    var next = first
    while next >= 0 {
      found.append(Int(next))
      next = newer[Int(next)]
    }
    return found
  }

  private func contains(_ number: Int) -> Bool {
    number < older.count && older[number] != Self.absent
  }

  /// Makes a number the newest.
  package mutating func use(_ number: Int) {
    guard last != Int32(truncatingIfNeeded: number) else { return }
    remove(number)
    while older.count <= number {
      older.append(Self.absent)
      newer.append(Self.absent)
    }
    let entry = Int32(truncatingIfNeeded: number)
    older[number] = last
    newer[number] = Self.none
    if last >= 0 { newer[Int(last)] = entry } else { first = entry }
    last = entry
  }

  /// Takes a number out, if it is in.
  package mutating func remove(_ number: Int) {
    guard contains(number) else { return }
    let before = older[number]
    let after = newer[number]
    if before >= 0 { newer[Int(before)] = after } else { first = after }
    if after >= 0 { older[Int(after)] = before } else { last = before }
    older[number] = Self.absent
    newer[number] = Self.absent
  }

  mutating func removeAll() { self = UseOrder() }
}
