"""Measurements as files that other programs open, each with what it changes of the coverage."""
