"""How networks are built in PyTorch: our own, and those of Detectron2 and torchvision. Never imported to serve."""
