"""A picture goes in, its measurement comes out."""
