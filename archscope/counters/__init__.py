"""Our counts beside those of torchinfo, fvcore and torch's FlopCounterMode: each imported when it is needed."""
