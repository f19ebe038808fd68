"""The checks, one file for each topic of the chart."""
