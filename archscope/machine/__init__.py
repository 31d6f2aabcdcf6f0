"""The machine that benchmarks and trainings run on: its devices, precision, clocks and environment."""
