"""What the API answers, typed: the same models make the JSON and its description in `/openapi.json`."""
