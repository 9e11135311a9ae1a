"""The Open Inference Protocol, version 2, by which KServe and Triton clients call a model."""
