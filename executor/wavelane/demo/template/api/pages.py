"""The pages that the service knows."""

PAGES = {"hello-world": "Hello, World"}
