"""From the words of a target (`vgg16`, `torchvision:vit_b_16`, `net.py:Net`) to a module and its inputs.

One file per origin. Nothing here traces: a `Target` says how to build the module and which inputs it takes by default.
"""
