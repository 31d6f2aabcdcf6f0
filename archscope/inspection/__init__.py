"""Questions that need a live model and the analysis: which input sizes work, budgets, ..."""
