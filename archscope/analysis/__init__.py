"""Pure functions from a `Trace` to numbers: MACs, receptive fields, explanations, memory, budgets. No torch here."""
