"""Paper-faithful builders, one file per paper, and the registry that names them.

A name and arguments enter `registry.build_model`; a `torch.nn.Module` leaves. Registry, rows and catalogue import no
torch; the builders are imported when they are asked for.
"""
