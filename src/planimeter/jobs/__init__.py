"""Jobs that take long, each a process of its own beside the service; so far: training."""
