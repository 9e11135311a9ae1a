"""Detectron2's Mask R-CNN, module by module as Detectron2 0.6 names them."""
