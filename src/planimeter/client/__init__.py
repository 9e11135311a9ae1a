"""A running service in Python: `Client` asks it, and what it answers is typed."""

from planimeter.client.client import LEFT_OUT, OTHER_PROTOCOLS, Client

__all__ = ["LEFT_OUT", "OTHER_PROTOCOLS", "Client"]
