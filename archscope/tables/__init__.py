"""Traces as tables: every layer of a pass, one model as a lecture prints it, explanations, the catalogue."""
