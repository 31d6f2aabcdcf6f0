"""Paper-faithful builders, one file per paper, and the registry that names them.

`registry.build_model` makes a `torch.nn.Module` of a name and arguments. Registry, rows and catalogue import no
torch; the builders are imported when they are asked for.
"""
