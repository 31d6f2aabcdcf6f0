"""A target as typed (`vgg16`, `torchvision:vit_b_16`, `net.py:Net`) goes in; what builds the module comes out.

One file per origin. Nothing here traces: a `Target` says how to build the module and which inputs it takes by default.
"""
