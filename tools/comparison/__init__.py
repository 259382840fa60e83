"""Accuracy right after pruning: prunec beside its peers. tools/compare.py is the command.

inspection          how many multiply-accumulates a model takes, as prunec counts them
outcome             what one method made of one model at one budget
prunec_method       prunec, without data and with images without labels
torch_pruning_peer  Torch-Pruning, on the networks that torch_networks rebuilds
onnxsim_peer        onnxsim, on the file itself
results             results in a file, so that the peers' are computed once
table, plot         Markdown and SVG
"""
