"""From a module and its inputs to a `Trace`: one observed forward pass on meta, fake or real tensors."""
