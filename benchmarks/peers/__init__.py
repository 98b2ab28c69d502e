"""The peers: other libraries, each with the wave in the way that is natural to it.

A module has `opened()`, which makes ready what the peer needs and yields the run of a wave. The
peer keeps as many of our rules as it has words for; the others are kept with asyncio beside it.
`benchmarks.contestants` lists them.
"""
