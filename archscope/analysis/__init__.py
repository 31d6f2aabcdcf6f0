"""Pure functions from a `Trace` to numbers: MACs, folding, ... Nothing here knows torch."""
