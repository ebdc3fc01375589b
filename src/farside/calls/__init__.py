"""Calls of C++ from Python: ``session.fn.name(...)``, arrays, callbacks, shared buffers."""
