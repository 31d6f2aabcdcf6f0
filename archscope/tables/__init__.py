"""Traces and numbers go in; Tables come out: every layer of a pass, or one model as a lecture prints it."""
