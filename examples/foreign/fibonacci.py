#!/usr/bin/env python3
"""Serves Fibonacci numbers with the server of server.py. Arguments: the broker's URL and the queue."""
import sys

from server import CallError, integer, serve


def fibonacci(n):
    if not integer(n):
        raise CallError("invalid_argument", "not an integer")
    if n < 0:
        raise CallError("out_of_range", f"{n} is below zero", [{"name": "least", "value": 0}])
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


serve(sys.argv[1], sys.argv[2], fibonacci)
