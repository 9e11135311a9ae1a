"""A watched folder: pictures that appear in it are measured by a running service, each once, and moved away."""
