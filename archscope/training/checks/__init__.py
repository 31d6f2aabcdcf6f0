"""A subject (a module of our own, a batch, what the optimizer holds) goes in; findings come out. One file per check.

The checks run in the order of `CHECKS` on one copy of the model and each says what it leaves behind.
"""
