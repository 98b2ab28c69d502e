"""What wavelane costs, beside asyncio and our peers. README.md has the latest tables."""
