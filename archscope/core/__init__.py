"""Frozen data and its words: tensors, traces, costs, tables, findings, units, errors. Standard library only."""
