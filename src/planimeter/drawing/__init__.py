"""The drawn picture."""
