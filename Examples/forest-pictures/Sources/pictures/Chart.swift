/// A chart of several series under each other, all over the same time, as SVG.
struct Chart {
  struct Panel {
    var title: String
    var values: [Double]
    var color = "#1f6f8b"
    /// A second line in the same panel.
    var other: [Double] = []
    /// Times to mark.
    var marks: [Int] = []
  }

  var panels: [Panel]
  private static let width = 760
  private static let height = 110

  var svg: String {
    let total = panels.count * Self.height + 8
    var lines = [
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 \(Self.width) \(total)' "
        + "font-family='sans-serif' font-size='11'>",
      "<rect width='100%' height='100%' fill='#fff'/>",
    ]
    for (row, panel) in panels.enumerated() {
      let top = row * Self.height
      lines.append("<text x='8' y='\(top + 14)' fill='#333'>\(panel.title)</text>")
      let all = panel.values + panel.other
      let low = all.min() ?? 0
      let high = max(all.max() ?? 1, low + 1e-9)
      func y(_ value: Double) -> Int {
        top + Self.height - 6 - Int((value - low) / (high - low) * Double(Self.height - 30))
      }
      func x(_ index: Int) -> Int { 8 + index * (Self.width - 16) / max(1, panel.values.count - 1) }
      for mark in panel.marks {
        lines.append(
          "<path d='M\(x(mark)),\(top + 20)v\(Self.height - 26)' stroke='#d1495b' opacity='.5'/>")
      }
      for (values, color) in [(panel.other, "#edae49"), (panel.values, panel.color)]
      where !values.isEmpty {
        let points = values.enumerated().map { "\(x($0.offset)),\(y($0.element))" }
        lines.append(
          "<polyline fill='none' stroke='\(color)' points='\(points.joined(separator: " "))'/>")
      }
      let scale = "\(Double(Int(low * 100)) / 100) to \(Double(Int(high * 100)) / 100)"
      lines.append(
        "<text x='\(Self.width - 8)' y='\(top + 14)' text-anchor='end' fill='#888'>\(scale)</text>")
    }
    return lines.joined(separator: "\n") + "\n</svg>\n"
  }
}
