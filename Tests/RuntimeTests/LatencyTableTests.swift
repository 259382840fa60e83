import Foundation
import PrunecRuntime
import Testing

@Suite struct LatencyTableTests {
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
  }

  @Test func roundTrip() throws {
    try withFolder { folder in
      // Folders are made on the way.
      let path = folder + "/prunec/table.tsv"
      let table = LatencyTable(path: path, title: "prunec latency table: a")
      #expect(table["conv [1,2]"] == nil)
      table["conv [1,2]"] = 0.000_012_345
      table["pool"] = 1.5
      table.save()
      let again = LatencyTable(path: path, title: "prunec latency table: a")
      #expect(again["conv [1,2]"] == 0.000_012_345)
      #expect(again["pool"] == 1.5)
      #expect(again.count == 2)
      #expect(again.complaint == nil)
      let files = try FileManager.default.contentsOfDirectory(atPath: folder + "/prunec")
      #expect(files == ["table.tsv"])
    }
  }

  @Test func timesOfSomethingElseAreLeftOut() throws {
    try withFolder { folder in
      let path = folder + "/table.tsv"
      let table = LatencyTable(path: path, title: "prunec latency table: a")
      table["conv"] = 1
      table.save()
      let other = LatencyTable(path: path, title: "prunec latency table: b")
      #expect(other.count == 0)
      #expect(other.complaint == nil)
    }
  }

  @Test func damageIsSaid() throws {
    try withFolder { folder in
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let path = folder + "/table.tsv"
      let title = "prunec latency table: a"
      for (text, count) in [
        ("\(title)\n12\tconv\nhello\n", 1), ("\(title)\n-3\tconv\n", 0),
        ("\(title)\nnan\tconv\n", 0), ("\(title)\n0\tconv\n", 0), ("\(title)\n1e99\tconv\n", 0),
        ("\u{0}\u{1}\n12\tconv\n", 0),
      ] {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let table = LatencyTable(path: path, title: title)
        #expect(table.count == count)
        #expect(table.complaint != nil)
      }
      try Data().write(to: URL(fileURLWithPath: path))
      #expect(LatencyTable(path: path, title: title).complaint == nil)
    }
  }

  @Test func whatCannotBeWrittenIsNoFailure() {
    let table = LatencyTable(path: "/proc/no/such/table.tsv", title: "prunec latency table: a")
    table["conv"] = 1
    #expect(table.save()?.contains("/proc/no/such/table.tsv cannot be written") == true)
    #expect(table["conv"] == 1)
  }

  @Test func whatIsNoRegularFileIsLeftAlone() throws {
    try withFolder { folder in
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let pipe = folder + "/table.tsv"
      #expect(mkfifo(pipe, 0o644) == 0)
      for path in [pipe, folder] {
        let table = LatencyTable(path: path, title: "prunec latency table: a")
        #expect(table.complaint == "\(path) is no regular file")
        table["conv"] = 1
        #expect(table.save() == nil)
      }
      var status = stat()
      #expect(stat(pipe, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
    }
  }
}
