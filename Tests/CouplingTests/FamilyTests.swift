import PrunecTestSupport
import Testing

/// The groups of whole families of architectures, in `Fixtures/Coupling`: a file each, to be read.
@Suite struct FamilyTests {
  @Test func groups() throws {
    let families = try GroupGolden.all()
    #expect(families.count > 20)
    for family in families {
      for failure in try family.failures() { Issue.record("\(failure)") }
    }
  }
}
