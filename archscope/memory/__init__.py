"""Memory of a training step or an inference, predicted on fake tensors: a module goes in, bytes come out."""
