import Foundation
import PrunecSelection
import PrunecTestSupport
import Testing

/// Holds the list of criteria, their folder and the documentation together.
@Suite struct CriterionRegistryTests {
  @Test func everyFileIsARegisteredCriterion() throws {
    let folder = packageDirectory.appending(path: "Sources/Selection/Criteria")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(files.sorted() == allCriteria.map { "\(type(of: $0)).swift" }.sorted())
  }

  @Test func namesAreDifferent() {
    #expect(Set(allCriteria.map(\.name)).count == allCriteria.count)
  }

  @Test func summariesAreOneLine() {
    for criterion in allCriteria {
      let summary = criterion.summary
      #expect(!summary.isEmpty && !summary.contains("\n") && summary.last != ".")
    }
  }

  @Test func theReadmeListsEveryCriterion() throws {
    let readme = try String(
      contentsOf: packageDirectory.appending(path: "README.md"), encoding: .utf8)
    let line = try #require(readme.split(separator: "\n").first { $0.contains("`--criterion") })
    for criterion in allCriteria { #expect(line.contains(criterion.name), "\(criterion.name)") }
  }
}
