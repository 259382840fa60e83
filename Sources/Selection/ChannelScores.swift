import PrunecCoupling
import PrunecGraphIR

/// How important each channel is: the higher, the later it goes. Comparable across groups.
///
/// Kept by axis rather than by group, so that scores survive passes that rewrite the graph: IDs of
/// values are never reused.
package struct ChannelScores: Sendable {
  package let criterion: String
  private var scores: [Axis: [Float]] = [:]

  package init(criterion: String) { self.criterion = criterion }

  /// Records the scores of a group's channels.
  package mutating func set(
    _ values: [Float], for group: ChannelGroup, in coupling: CouplingAnalysis
  ) {
    // Axes that are equal throughout share a list.
    var lists: [Int: [Float]] = [:]
    for member in group.members {
      guard let strand = coupling.strand(of: member.axis) else { continue }
      if lists[strand] == nil {
        let extent = coupling.extent(of: member.axis)!
        var list = scores[member.axis] ?? [Float](repeating: 0, count: extent)
        for channel in 0..<group.count {
          for index in member.indices(ofChannel: channel) { list[Int(index)] = values[channel] }
        }
        lists[strand] = list
      }
      scores[member.axis] = lists[strand]
    }
  }

  /// Follows a cut: of every axis in `kept`, only the scores at those indices stay.
  package mutating func keep(_ kept: [Axis: [Int]]) {
    for (axis, indices) in kept {
      if let list = scores[axis] { scores[axis] = indices.map { list[$0] } }
    }
  }

  /// The scores of a group's channels; `nil` where none were recorded for any of its axes.
  package func scores(of group: ChannelGroup) -> [Float]? {
    for member in group.members {
      guard let list = scores[member.axis] else { continue }
      let values = (0..<group.count).map { channel -> Float? in
        guard let index = member.indices(ofChannel: channel).first, index < list.count else {
          return nil
        }
        return list[Int(index)]
      }
      let known = values.compactMap { $0 }
      if known.count == values.count { return known }
    }
    return nil
  }
}
