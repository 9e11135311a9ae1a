"""The pages that tell how good a model is."""
