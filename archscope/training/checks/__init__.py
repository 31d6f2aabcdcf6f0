"""Sanity checks of a classifier before it is trained, and of its labels after; `runner` has their order.

Each check takes the candidate, its first forward pass or its first steps, and returns findings. All work on one copy of
the model; each says what it leaves behind.
"""
