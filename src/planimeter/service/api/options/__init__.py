"""What a client may ask for: each option declared once, checked here, and listed by `/openapi.json`."""
