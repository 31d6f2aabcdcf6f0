"""Honest times of forward, backward and optimizer step, memory and utilisation of targets."""
