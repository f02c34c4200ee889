#!/usr/bin/env python3
"""Makes calls with the client of client.py. A line of input is a call: ["queue", request, seconds]."""
import json
import sys

from client import CallError, Client

client = Client(sys.argv[1])
for line in sys.stdin:
    try:
        answer = {"result": client.call(*json.loads(line))}
    except CallError as e:
        answer = {"code": e.code, "message": str(e), "outcome": e.outcome, "details": e.details}
    print(json.dumps(answer), flush=True)
