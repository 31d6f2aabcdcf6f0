"""A module and its inputs go in; a `Trace` of one observed forward pass comes out."""
