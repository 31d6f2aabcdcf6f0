"""CIFAR-10 and other images: where they come from, what part of them is used, and how batches are made of them."""
