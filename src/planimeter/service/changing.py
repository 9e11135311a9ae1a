"""Changes of one measurement, one after the other."""

import threading

one_at_a_time = threading.Lock()
"""Held by whoever reads a record to change it: what others changed meanwhile would be lost."""
