import PrunecGraphIR

extension Graph {
  /// Imports the set of prunec's own operators, if that has not been done.
  package mutating func importOwnOperators() {
    if opsetVersion(of: Mask.domain) == nil { opsetImports.append(OpsetImport(Mask.domain, 1)) }
  }

  /// Takes the import of prunec's own operators away once nothing uses them: no other runtime knows
  /// them.
  package mutating func dropOwnOperators() {
    if !nodes.contains(where: { self[$0].operation.domain == Mask.domain }) {
      opsetImports.removeAll { $0.domain == Mask.domain }
    }
  }
}
