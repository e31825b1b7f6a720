"""The live page and its API: a partition of its own that asks the meter through one small interface.

`face.MeterFace` is all the page knows of the meter, `site.app(face)` is the Starlette application, and
`server.WebServer` runs it on a listening socket inside an asyncio loop that is already there.
"""
