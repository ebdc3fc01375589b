"""The front end: the client of farside-compiler, diagnostics, and the precompiled library.

`farside.frontend.client.Compiler` is the door. Nothing here imports more than the standard
library's sockets, subprocesses and JSON, because it lies on the path to the first result.
"""
