"""From models that were made elsewhere to packs. Nothing of a model file is ever executed."""
