/// The time since it was made.
public struct Stopwatch {
  private let start = ContinuousClock.now

  public init() {}

  public var elapsed: Duration { ContinuousClock.now - start }
}
