"""Sanity checks of a model, and a short training on CIFAR-10 that is kept in a run folder.

From the command line `archscope train`; from Python `archscope.check_training` for a module and a batch of one's
own, and `archscope.train` for a whole run.
"""
