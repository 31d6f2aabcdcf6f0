"""The memory of a training step or an inference, predicted on fake tensors."""
