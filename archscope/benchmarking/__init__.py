"""Targets go in; honest times of forward, backward and optimizer step, memory and utilisation come out."""
