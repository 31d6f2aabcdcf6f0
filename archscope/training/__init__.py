"""A target and CIFAR-10 go in; sanity checks, a short training and its run folder come out.

From the command line `archscope train`; from Python `check_training` (in `checking`) for a module and a batch of one's
own, and `train_target` (in `session`) for a whole run.
"""
