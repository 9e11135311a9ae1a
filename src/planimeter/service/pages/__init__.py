"""The pages, one blueprint for all."""
