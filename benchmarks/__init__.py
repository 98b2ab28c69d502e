"""What wavelane costs beside the least that asyncio could do. README.md has the latest table."""
