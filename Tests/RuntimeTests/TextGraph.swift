import PrunecGraphIR
import PrunecONNXText

/// A graph of a signature and nodes in ONNX's textual syntax.
func graph(_ signature: String, _ body: String, opset: Int) throws -> Graph {
  try parseModel(
    """
    <ir_version: 10, opset_import: ["" : \(opset)]>
    main \(signature) { \(body) }
    """
  ).graph
}
