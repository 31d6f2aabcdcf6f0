"""Memory of a training step or an inference, predicted on fake tensors, and the batch that fits."""
