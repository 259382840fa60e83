"""Shows what prunec does on many architectures beside its peers; `tools/sweep` runs it.

| module | what it is about |
| --- | --- |
| `__main__` | the command line |
| `subjects` | the networks, by name |
| `families/`, `torchvision_zoo`, `timm_zoo` | where they come from |
| `randomness` | weights and statistics |
| `exporting` | PyTorch's two exporters, and files without traces of the machine |
| `pruning` | running prunec |
| `judging` | what onnx and onnxruntime say about its results |
| `torch_pruning_peer`, `onnxsim_peer` | the peers |
| `isolation` | work in processes of its own, with a limit of time |
| `sweeping` | one network through all of it |
| `rows` | results, as lines of a file and of a table |

Only what runs in a process of its own imports torch, onnx or onnxruntime: the memory that the
system reports for prunec includes what its parent has.
"""
