"""The web edge: REST API and pages over the core, the store and one queue in front of the model."""
