"""Our counts beside those of torchinfo, fvcore and torch's FlopCounterMode: one module per tool, each imported late."""
