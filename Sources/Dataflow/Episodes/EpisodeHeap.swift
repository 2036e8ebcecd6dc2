/// Places of episodes in the order of their deadlines, ties in the order of the entities' bytes.
///
/// Every place has one entry, whose deadline can change: no scan over all finds the next one.
struct EpisodeHeap {
  private var places: [Int] = []
  /// Where each place stands in `places`.
  private var positions: [Int] = []
  private var deadlines: [Int64] = []

  /// The place with the earliest deadline; nil without episodes.
  var first: (place: Int, deadline: Int64)? {
    places.first.map { (place: $0, deadline: deadlines[$0]) }
  }

  /// Adds the next place.
  mutating func append(deadline: Int64, episodes: [Episode]) {
    deadlines.append(deadline)
    positions.append(places.count)
    places.append(deadlines.count - 1)
    rise(places.count - 1, episodes)
  }

  /// Moves a place whose deadline has changed.
  mutating func update(_ place: Int, deadline: Int64, episodes: [Episode]) {
    let before = deadlines[place]
    guard deadline != before else { return }
    deadlines[place] = deadline
    if deadline < before {
      rise(positions[place], episodes)
    } else {
      sink(positions[place], episodes)
    }
  }

  /// Takes a place out; the last place takes over its number, as in `episodes` afterwards.
  ///
  /// `episodes` is as it was before.
  mutating func remove(_ place: Int, episodes: [Episode]) {
    let hole = positions[place]
    let lastEntry = places.count - 1
    swap(hole, lastEntry)
    places.removeLast()
    if hole < places.count {
      rise(hole, episodes)
      sink(hole, episodes)
    }
    let lastPlace = deadlines.count - 1
    if place < lastPlace {
      deadlines[place] = deadlines[lastPlace]
      positions[place] = positions[lastPlace]
      places[positions[place]] = place
    }
    deadlines.removeLast()
    positions.removeLast()
  }

  private func isBefore(_ left: Int, _ right: Int, _ episodes: [Episode]) -> Bool {
    let (first, second) = (places[left], places[right])
    guard deadlines[first] == deadlines[second] else {
      return deadlines[first] < deadlines[second]
    }
    return episodes[first].entity.lexicographicallyPrecedes(episodes[second].entity) {
      $0.utf8.lexicographicallyPrecedes($1.utf8)
    }
  }

  private mutating func swap(_ left: Int, _ right: Int) {
    places.swapAt(left, right)
    positions[places[left]] = left
    positions[places[right]] = right
  }

  private mutating func rise(_ start: Int, _ episodes: [Episode]) {
    var child = start
    while child > 0, isBefore(child, (child - 1) / 2, episodes) {
      swap(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func sink(_ start: Int, _ episodes: [Episode]) {
    var parent = start
    while true {
      var child = 2 * parent + 1
      guard child < places.count else { return }
      if child + 1 < places.count, isBefore(child + 1, child, episodes) { child += 1 }
      guard isBefore(child, parent, episodes) else { return }
      swap(child, parent)
      parent = child
    }
  }
}
