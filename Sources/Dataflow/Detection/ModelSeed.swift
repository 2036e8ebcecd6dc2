import Columns

/// The seed of one model of a table function: follows from the function's seed and the model's key.
func modelSeed(
  _ seed: UInt64, _ columns: [Int], _ input: Batch, _ row: Int, _ pool: borrowing StringPool
) -> UInt64 {
  var mixed = seed
  for index in columns {
    let column = input.columns[index]
    switch column.type.storage {
    case .integer: mixed = mix(mixed, UInt64(bitPattern: column.integers[row]))
    case .floating: mixed = mix(mixed, column.doubles[row].bitPattern)
    case .text:
      for position in pool.range(of: column.texts[row]) {
        mixed = mix(mixed, UInt64(pool.bytes[position]))
      }
    }
    mixed = mix(mixed, column.isNull(row) ? 1 : 0)
  }
  return mixed
}

/// Spreads a number over all 64 bits.
func spread(_ number: UInt64) -> UInt64 { mix(0, number) }

private func mix(_ state: UInt64, _ value: UInt64) -> UInt64 {
  var mixed = (state ^ value) &+ 0x9E37_79B9_7F4A_7C15
  mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
  mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
  return mixed ^ (mixed >> 31)
}
