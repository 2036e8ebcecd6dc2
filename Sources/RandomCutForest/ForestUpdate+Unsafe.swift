import CKernels

/// Points scored and learned together by the batch functions; bounds the buffers.
package let blockSize = 64

extension ForestCore {
  /// Makes ready for the next arrival: room, and the ways through the trees that will take it.
  ///
  /// Best done before scoring, which takes longer than the memory that is asked for here.
  package mutating func expect() {
    if clock.arrivalsBeforeRebase == 0 { rebase() }
    growTrees(forPoints: 1)
    makeRoom(points: 1)
    dueCount = 0
    // Full trees stay full.
    if !isFull { isFull = (0..<numberOfTrees).allSatisfy { mass(ofTree: $0) == sampleSize } }
    guard isFull else { return }
    let arrival = clock.arrivals + 1
    for tree in 0..<numberOfTrees where nextAcceptance[tree] <= arrival {
      due[dueCount] = UInt16(tree)
      dueCount += 1
    }
    if dueCount > 0 { findWalks(of: due, count: min(dueCount, Int(RCF_WALKS))) }
  }

  private func findWalks(of trees: UnsafePointer<UInt16>, count: Int) {
    rcf_find_walks(forest, trees, UInt32(count), lastEntry, query, walks)
  }

  /// Offers the point at hand to every tree; `expect` came before.
  package mutating func offer(weight: Double, initialAcceptFraction: Double) {
    clock.arrivals += 1
    if weight == 1 && isFull {
      offerToDue()
      return
    }
    let arrival = clock.arrivals
    let position = store.append(point)
    for tree in 0..<numberOfTrees {
      if mass(ofTree: tree) < sampleSize {
        fill(
          tree, query: query, position: position, arrival: arrival, weight: weight,
          initialAcceptFraction: initialAcceptFraction)
      } else if weight != 1 {
        acceptWeighted(tree, query: query, position: position, arrival: arrival, weight: weight)
      } else if nextAcceptance[tree] <= arrival {
        acceptScheduled(tree, query: query, position: position, arrival: arrival)
      }
    }
  }

  /// Offers the point at hand to one tree, which is not full.
  package mutating func offer(toTree tree: Int) {
    if clock.arrivalsBeforeRebase == 0 { rebase() }
    growTrees(forPoints: 1)
    makeRoom(points: 1)
    clock.arrivals += 1
    let position = store.append(point)
    fill(
      tree, query: query, position: position, arrival: clock.arrivals, weight: 1,
      initialAcceptFraction: 1)
  }

  /// The usual case: all trees are full and all points weigh the same.
  private mutating func offerToDue() {
    guard dueCount > 0 else {
      store.appendUntaken(point)
      return
    }
    let position = store.append(point)
    var first = 0
    while first < dueCount {
      let count = min(dueCount - first, Int(RCF_WALKS))
      if first > 0 { findWalks(of: due + first, count: count) }
      for k in 0..<count {
        let tree = Int(due[first + k])
        replace(tree, query: query, position: position, key: nextKey[tree], walk: walks + k)
      }
      for k in 0..<count {
        schedule(
          Int(due[first + k]), at: clock.arrivals, elapsed: clock.elapsed)
      }
      first += count
    }
  }

  /// Makes room before any tree runs out of it.
  mutating func growTrees(forPoints points: Int) {
    guard capacity < sampleSize else { return }
    var most = 0
    for tree in 0..<numberOfTrees { most = max(most, mass(ofTree: tree)) }
    guard most + points > capacity else { return }
    resize(
      capacity: min(sampleSize, max(2 * capacity, most + points)), boxed: boxedTrees, isWide: isWide
    )
  }

  /// Scores, from the `firstScored`th on, and learns a block of points, tree by tree.
  ///
  /// Trees do not influence each other, so each goes through the whole block while it is in the
  /// cache; the answers are those of going point by point. Sums over the trees come out in
  /// `scores`.
  package mutating func scoreAndOffer(
    _ block: borrowing PointBlock, firstScored: Int, initialAcceptFraction: Double
  ) {
    let count = block.count
    let firstArrival = clock.arrivals + 1
    growTrees(forPoints: count)
    makeRoom(points: count)
    for k in 0..<count {
      let position = store.append(block.points + k * dimensions)
      store.retain(position)
      block.positions[k] = position
      block.scores[k] = 0
    }
    let lanes = lanes
    for tree in 0..<numberOfTrees {
      var next = 0
      while next < count {
        let isFull = mass(ofTree: tree) == sampleSize
        let accepted = isFull ? Int(min(Int64(count), nextAcceptance[tree] - firstArrival)) : next
        let scored = max(next, firstScored)
        let end = min(count, accepted + 1)
        var hasWalk = false
        if scored < end {
          hasWalk = isFull && accepted < count
          rcf_score_block(
            forest, UInt32(tree), block.queries + scored * lanes, UInt32(end - scored),
            block.scores + scored, UInt32(lastEntry[tree]), hasWalk ? walks : nil)
        }
        if accepted < count {
          let query = block.queries + accepted * lanes
          let position = block.positions[accepted]
          let arrival = firstArrival + Int64(accepted)
          if hasWalk {
            replace(tree, query: query, position: position, key: nextKey[tree], walk: walks)
            schedule(
              tree, at: arrival, elapsed: clock.timeDecay * Double(arrival - clock.base))
          } else if isFull {
            acceptScheduled(tree, query: query, position: position, arrival: arrival)
          } else {
            fill(
              tree, query: query, position: position, arrival: arrival, weight: 1,
              initialAcceptFraction: initialAcceptFraction)
          }
        }
        next = end
      }
    }
    for k in 0..<count { store.release(block.positions[k]) }
    clock.arrivals += Int64(count)
  }
}

/// The buffers of a block of points.
package struct PointBlock: ~Copyable {
  package var count = 0
  package let points: UnsafeMutablePointer<Float>
  package let queries: UnsafeMutablePointer<Float>
  package let positions: UnsafeMutablePointer<Int>
  package let scores: UnsafeMutablePointer<Double>

  package init(dimensions: Int) {
    points = .allocate(capacity: blockSize * dimensions)
    queries = .allocate(capacity: blockSize * laneCount(dimensions: dimensions))
    positions = .allocate(capacity: blockSize)
    scores = .allocate(capacity: blockSize)
  }

  /// Bytes of the buffers for points of so many dimensions.
  package static func byteCount(dimensions: Int) -> Int {
    blockSize
      * (MemoryLayout<Float>.size * (dimensions + laneCount(dimensions: dimensions))
        + MemoryLayout<Int>.size + MemoryLayout<Double>.size)
  }

  deinit {
    points.deallocate()
    queries.deallocate()
    positions.deallocate()
    scores.deallocate()
  }
}

extension ForestCore {
  /// Takes the input of one time step, or a whole point, as the point at hand; `learned` pushes it
  /// into the shingle.
  package func form(_ input: Span<Float>, shingling: Shingling, learned: Bool) {
    input.withUnsafeBufferPointer { values in
      let count = values.count
      let start = shingling.slot * count
      guard let first = values.baseAddress else { return }
      if shingling.isWhole {
        Self.copy(first, to: point, count: count)
        return
      }
      if shingling.isRotating {
        point.update(from: shingle, count: dimensions)
        Self.copy(first, to: point + start, count: count)
      } else {
        point.update(from: shingle + count, count: dimensions - count)
        Self.copy(first, to: point + (dimensions - count), count: count)
      }
      if learned { shingle.update(from: point, count: dimensions) }
    }
  }

  /// Adding zero turns -0 to 0, so that equal values have equal bits.
  private static func copy(
    _ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, count: Int
  ) {
    for i in 0..<count { target[i] = source[i] + 0 }
  }

  /// Appends the point at hand to the block.
  package func enter(_ block: inout PointBlock) {
    (block.points + block.count * dimensions).update(from: point, count: dimensions)
    rcf_query(forest, point, block.queries + block.count * lanes)
    block.count += 1
  }
}

/// How an input becomes a point.
package struct Shingling {
  package let isWhole: Bool
  package let isRotating: Bool
  /// The block of a rotating shingle that the next input takes.
  package let slot: Int
}
