"""Exact areas: masks as windows, pasted, encoded, united. Knows only the words of the answer."""
