import Glibc
import PrunecGraphIR

/// How long the parts of a model take, as functions of how many channels each group keeps.
package protocol PartTimes: AnyObject {
  /// For each part, the groups that its time depends on.
  var groupsOfPart: [[Int]] { get }

  /// The times of `parts`, in seconds, when group i keeps `kept[i]` channels.
  func seconds(of parts: [Int], keeping kept: [Int]) throws(CompileError) -> [Double]
}

extension PartTimes {
  /// The time of the whole model.
  package func seconds(keeping kept: [Int]) throws(CompileError) -> Double {
    try seconds(of: Array(groupsOfPart.indices), keeping: kept).reduce(0, +)
  }
}

/// Chooses how many channels each group keeps, so that a model takes at most a given time and loses as little as
/// possible.
///
/// The time of a layer is a staircase in its widths, and depends on two groups at least, what it reads and what it
/// makes; so no order of channels by importance for time is right throughout. The search goes down in rounds. In each,
/// the time of every group's candidate widths is taken with all other groups as they are, and those widths are chosen
/// whose `loss + price * time` is least; the price is the lowest for which the round reaches its aim, a part of the way.
/// What the groups gain together is less than the sum, which later rounds make up for. At the end single
/// steps, with the times that they really lead to, bring the model below the limit and give back what room is left.
///
/// Groups that no part depends on at once are tried at once: asking for times means planning the model.
struct WidthSearch {
  let times: any PartTimes
  /// For each group the widths to choose from, decreasing; a single one where it is fixed.
  let candidates: [[Int]]
  /// For each of them what is lost, increasing.
  let losses: [[Double]]

  private let partsOfGroup: [[Int]]
  /// Groups that have no part in common.
  private let colours: [[Int]]

  /// The state of a search: which candidate each group has, and the times of all parts.
  private struct State {
    var choice: [Int]
    var seconds: [Double]

    var total: Double { seconds.reduce(0, +) }
  }

  /// A group's change to another candidate, and what that does to the time of the model.
  private struct Move {
    var group: Int
    var candidate: Int
    var seconds: Double
  }

  init(_ times: any PartTimes, candidates: [[Int]], losses: [[Double]]) {
    (self.times, self.candidates, self.losses) = (times, candidates, losses)
    var partsOfGroup = [[Int]](repeating: [], count: candidates.count)
    for (part, groups) in times.groupsOfPart.enumerated() {
      for group in groups { partsOfGroup[group].append(part) }
    }
    self.partsOfGroup = partsOfGroup
    var colours: [(parts: Set<Int>, groups: [Int])] = []
    for group in candidates.indices where candidates[group].count > 1 {
      let own = partsOfGroup[group]
      if let index = colours.firstIndex(where: { $0.parts.isDisjoint(with: own) }) {
        colours[index].groups.append(group)
        colours[index].parts.formUnion(own)
      } else {
        colours.append((Set(own), [group]))
      }
    }
    self.colours = colours.map(\.groups)
  }

  /// The most that a round takes from the time.
  private static let roundShare = 0.15
  private static let roundLimit = 40
  /// How many candidates above and below its own a group looks at.
  private static let (up, down) = (3, 7)

  /// The widths within `limit` seconds; `nil` where not even the least candidates are. The search begins with all
  /// channels, or with the widths that `start` gives: those of another limit nearby.
  func widths(within limit: Double, from start: [Int]? = nil) throws(CompileError) -> [Int]? {
    var state = try state(candidates.map { _ in 0 })
    if state.total <= limit { return widths(state.choice) }
    let floor = try self.state(candidates.map { $0.count - 1 })
    guard floor.total <= limit else { return nil }
    if let start {
      state = try self.state(
        zip(candidates, start).map { widths, width in
          widths.firstIndex { $0 <= width } ?? widths.count - 1
        })
    }
    var best = floor
    var refinements = 0
    for _ in 0..<Self.roundLimit {
      let aim = max(limit, state.total * (1 - Self.roundShare))
      let next = try self.state(choice(from: state, aim: aim))
      let isSettled = next.choice == state.choice
      state = next
      if state.total <= limit {
        if loss(state) < loss(best) { best = state }
        refinements += 1
      }
      if isSettled || refinements == 3 { break }
    }
    if state.total > limit {
      state = try reduced(state, to: limit) ?? floor
      if loss(state) < loss(best) { best = state }
    }
    return widths(try filled(best, limit).choice)
  }

  private func widths(_ choice: [Int]) -> [Int] {
    choice.indices.map { candidates[$0][choice[$0]] }
  }

  private func state(_ choice: [Int]) throws(CompileError) -> State {
    let parts = Array(times.groupsOfPart.indices)
    return State(
      choice: choice, seconds: try times.seconds(of: parts, keeping: widths(choice)))
  }

  private func loss(_ state: State) -> Double {
    state.choice.indices.reduce(0) { $0 + losses[$1][state.choice[$1]] }
  }

  // MARK: Moves

  /// What every group could change to, by `offsets` from its own candidate.
  private func moves(
    from state: State, by offsets: ClosedRange<Int>, of groups: Set<Int>? = nil
  ) throws(CompileError) -> [Move] {
    let current = widths(state.choice)
    var moves: [Move] = []
    for offset in offsets where offset != 0 {
      for colour in colours {
        let moving = colour.filter { group in
          candidates[group].indices.contains(state.choice[group] + offset)
            && groups?.contains(group) ?? true
        }
        guard !moving.isEmpty else { continue }
        var kept = current
        for group in moving { kept[group] = candidates[group][state.choice[group] + offset] }
        let parts = moving.flatMap { partsOfGroup[$0] }
        let seconds = try times.seconds(of: parts, keeping: kept)
        var start = 0
        for group in moving {
          let own = partsOfGroup[group]
          let change = own.indices.reduce(0.0) { $0 + seconds[start + $1] - state.seconds[own[$1]] }
          start += own.count
          moves.append(Move(group: group, candidate: state.choice[group] + offset, seconds: change))
        }
      }
    }
    return moves
  }

  /// The candidates that reach `aim` at the lowest price of time, as far as single changes can tell.
  private func choice(from state: State, aim: Double) throws(CompileError) -> [Int] {
    var moves = candidates.map { _ in [Move]() }
    for move in try self.moves(from: state, by: -Self.up...Self.down) {
      moves[move.group].append(move)
    }
    for group in moves.indices {
      moves[group].append(Move(group: group, candidate: state.choice[group], seconds: 0))
      moves[group].sort { $0.candidate < $1.candidate }
    }
    func chosen(price: Double) -> [Move] {
      moves.map { moves in
        func value(_ move: Move) -> Double {
          losses[move.group][move.candidate] + price * move.seconds
        }
        // The widest of those that are equally good.
        return moves.min { value($0) < value($1) }!
      }
    }
    func total(_ moves: [Move]) -> Double { moves.reduce(state.total) { $0 + $1.seconds } }
    // The price of the whole model's time, in what can be lost at all, from next to nothing to more than anything.
    let scale = max(losses.reduce(0) { $0 + ($1.last ?? 0) }, .leastNonzeroMagnitude) / state.total
    var (low, high) = (-20.0, 20.0)
    for _ in 0..<40 {
      let middle = (low + high) / 2
      if total(chosen(price: scale * exp2(middle))) <= aim { high = middle } else { low = middle }
    }
    return chosen(price: scale * exp2(high)).map(\.candidate)
  }

  /// Takes the steps that lose least for the time that they save, one after the other; `nil` if none saves any.
  private func reduced(_ start: State, to limit: Double) throws(CompileError) -> State? {
    var state = start
    while state.total > limit {
      let moves = try moves(from: state, by: 1...Self.down).filter { $0.seconds < 0 }
      func price(_ move: Move) -> Double {
        let loss = losses[move.group][move.candidate] - losses[move.group][state.choice[move.group]]
        // More than what is still missing is worth no more.
        return loss / min(-move.seconds, state.total - limit)
      }
      guard let move = moves.min(by: { price($0) < price($1) }) else { return nil }
      state.choice[move.group] = move.candidate
      state = try self.state(state.choice)
    }
    return state
  }

  /// Gives channels back where there is time for them: first where least time is worth most.
  private func filled(_ start: State, _ limit: Double) throws(CompileError) -> State {
    var state = start
    while true {
      let room = limit - state.total
      let moves = try moves(from: state, by: -Self.up...(-1)).filter { $0.seconds <= room }
      func worth(_ move: Move) -> Double {
        let gain = losses[move.group][state.choice[move.group]] - losses[move.group][move.candidate]
        return gain / max(move.seconds, limit * 1e-6)
      }
      guard let move = moves.max(by: { worth($0) < worth($1) }), worth(move) > 0 else {
        return state
      }
      var choice = state.choice
      choice[move.group] = move.candidate
      let next = try self.state(choice)
      guard next.total <= limit else { return state }
      state = next
    }
  }
}
