import RandomCutForest

// Reads one number per line, prints each with its score.
var forest = try RandomCutForest(ForestConfiguration(dimensions: 8, shingleSize: 8))
while let line = readLine() {
  guard let value = Float(line) else { continue }
  let point = [value]
  print(value, try forest.scoreAndUpdate(point.span))
}
