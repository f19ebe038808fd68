"""The checks, one file for each side of the chart."""
