import PrunecCalibration
import Testing

@Suite struct ConcurrentMapTests {
  @Test func resultsAreInTheOrderOfTheElements() {
    #expect(concurrentMap(Array(0..<1000)) { $0 * $0 } == (0..<1000).map { $0 * $0 })
    #expect(concurrentMap([Int]()) { $0 }.isEmpty)
  }
}
