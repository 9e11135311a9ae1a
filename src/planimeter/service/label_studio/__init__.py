"""A machine-learning backend of Label Studio: it asks, and shows what is found as predictions to correct."""
