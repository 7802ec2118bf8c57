"""Grids, curves and the HTML report."""
