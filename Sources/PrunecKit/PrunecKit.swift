/// The library: all that a program needs to prune and run models, by `import PrunecKit` alone.
///
/// | to | there are |
/// | --- | --- |
/// | read and write models | `importModel`, `exportModel`; `parseModel`, `printModel` for ONNX's textual syntax |
/// | look at and change a graph | `Model`, `Graph`, `Tensor`, `GraphBuilder`; `GraphFacts` for types, shapes and costs |
/// | know what depends on what | `CouplingAnalysis` |
/// | run models | `Session` |
/// | have samples | `openDataSet`, `SampleBatches` |
/// | prune | `Pruner`, `PruneOptions`, `PruneReport` |
/// | run single passes, or passes of one's own | `Pass`, `PassRegistry`, `Pipeline`, `PassManager` |
@_exported import PrunecCalibration
@_exported import PrunecCoupling
@_exported import PrunecDataSets
@_exported import PrunecDriver
@_exported import PrunecFiles
@_exported import PrunecGraphIR
@_exported import PrunecONNXFormat
@_exported import PrunecONNXText
@_exported import PrunecOperators
@_exported import PrunecPassKit
@_exported import PrunecPasses
@_exported import PrunecRuntime
@_exported import PrunecSelection
@_exported import PrunecSemantics
@_exported import PrunecTensors
