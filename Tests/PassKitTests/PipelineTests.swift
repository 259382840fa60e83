import PrunecGraphIR
import PrunecPassKit
import Testing

@Suite struct PipelineTests {
  @Test(arguments: [
    "", "a", "a,b", "a-b{c=d}", "a{b=1 c=2.5 b=3},d", "fixpoint(a,fixpoint(b{x=y}),c),d",
    "a{keep=\"two words\"}", "a{keep=\"{}\" b=\"\"}", "a{g=layer*.conv[12]?}",
  ])
  func roundTrip(text: String) throws {
    #expect(try Pipeline(text).description == text)
  }

  @Test func spacesAndQuotesAreNormalised() throws {
    let pipeline = try Pipeline(" a { b=\"1\"  c=2 } ,\n fixpoint ( d , e ) ")
    #expect(pipeline.description == "a{b=1 c=2},fixpoint(d,e)")
    #expect(try Pipeline("a{}").description == "a")
    #expect(try Pipeline("  ").steps.isEmpty)
  }

  @Test func columnsOfPasses() throws {
    let pipeline = try Pipeline("a, b{c=d},fixpoint(e)")
    var columns: [Int] = []
    func collect(_ steps: [Pipeline.Step]) {
      for step in steps {
        switch step {
        case .pass(_, _, let column): columns.append(column)
        case .fixpoint(let steps): collect(steps)
        }
      }
    }
    collect(pipeline.steps)
    #expect(columns == [1, 4, 20])
  }

  @Test(arguments: [
    ("a,", 3, "expected the name of a pass"), ("a b", 3, "expected ',' or the end"),
    (",a", 1, "expected the name of a pass"), ("a{b}", 4, "expected '=' after 'b'"),
    ("a{b=}", 5, "expected a value"), ("a{b=c", 6, "expected an option"),
    ("a{b=\"c}", 8, "expected '\"'"), ("a{=c}", 3, "expected an option"),
    ("fixpoint", 9, "expected '(' after fixpoint"), ("fixpoint(a", 11, "expected ')'"),
    ("fixpoint()", 10, "expected the name of a pass"), ("a)", 2, "expected ',' or the end"),
    (String(repeating: "fixpoint(", count: 99), 145, "groups are nested too deeply"),
  ])
  func errors(text: String, column: Int, message: String) {
    let error = #expect(throws: CompileError.self) { try Pipeline(text) }
    #expect(error?.kind == .usage)
    #expect(error?.diagnostics[0].message == message)
    #expect(error?.diagnostics[0].location == .pipeline(column: column))
  }

  @Test func quoting() throws {
    for value in ["plain", "two words", "", "a}b", "{", "a=b"] {
      let pipeline = try Pipeline("p{k=\(Pipeline.quoted(value))}")
      guard case .pass(_, let options, _)? = pipeline.steps.first else { continue }
      #expect(options.map(\.value) == [value])
    }
  }
}
