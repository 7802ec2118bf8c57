"""Whole networks used by two or more methods."""
