"""What is promised, and the machinery that checks it. Start with README.md."""
