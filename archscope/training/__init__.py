"""Sanity checks of a model, and a short training on CIFAR-10 that is kept in a run folder.

From the command line `archscope train`; from Python `check_training` (in `checking`) for a module and a batch of one's
own, and `train_target` (in `session`) for a whole run.
"""
