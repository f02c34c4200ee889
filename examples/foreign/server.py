"""A core server of docs/protocol.md. It needs pika."""
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pika
from pika.exceptions import AMQPError

JSON = json.JSONEncoder(allow_nan=False, ensure_ascii=False)  # its text does not encode with half of a surrogate pair
MAX_BODY, SKEW, WORKERS = 16 << 20, 1.0, 8


class CallError(Exception):
    def __init__(self, code, message, details=()):
        super().__init__(message)
        self.code, self.details = code, list(details)


def integer(v, least=-2**63, most=2**63):
    return isinstance(v, int) and not isinstance(v, bool) and least <= v <= most


def check(p, headers, body, arrived):
    """Returns the request, or raises the first thing that is wrong with it."""
    version, content_type = headers.get("rpc-version", 1), str(p.content_type or "application/json").split(";")[0].strip().lower()
    for good, code, name in [
        (integer(version), "invalid_argument", "rpc-version"),
        (integer(version, most=1), "unimplemented", "rpc-version"),
        ("rpc-stream" not in headers, "unimplemented", "rpc-stream"),
        (integer(headers.get("rpc-attempt", 1), 1, 2**30), "invalid_argument", "rpc-attempt"),
        (isinstance(headers.get("rpc-batches", True), bool), "invalid_argument", "rpc-batches"),
        (not p.reply_to or integer(headers.get("rpc-heartbeat", 1), 1, 315360000000), "invalid_argument", "rpc-heartbeat"),
        (integer(headers.get("rpc-deadline", 0)), "invalid_argument", "rpc-deadline"),
        (len(body) <= MAX_BODY, "resource_exhausted", "the body's size"),
        ((p.content_encoding or "identity").lower() in ("utf-8", "us-ascii", "binary", "identity"), "invalid_argument", "content_encoding"),
        (content_type == "application/json", "invalid_argument", "content_type"),
    ]:
        if not good:
            raise CallError(code, f"{name} is not accepted")
    try:
        request = json.loads(body.decode(), parse_constant=int)  # int refuses NaN and the infinities
    except (ValueError, RecursionError) as e:
        raise CallError("invalid_argument", f"the request does not decode: {e}")
    ends = [arrived + int(p.expiration) / 1000] if (p.expiration or "").isdigit() else []
    if "rpc-deadline" in headers:
        ends.append(headers["rpc-deadline"] / 1000 + SKEW)
    if ends and min(ends) <= time.time():
        raise CallError("deadline_exceeded", "the request's deadline passed")
    return request


def work(handler, method, p, body, arrived, send):
    """Runs on a thread of its own. send publishes and acknowledges on the connection's thread."""
    headers, started = {}, False
    try:
        request = check(p, p.headers or {}, body, arrived)
        started = True
        reply = JSON.encode(handler(request)).encode()
    except Exception as e:
        e = e if isinstance(e, CallError) else CallError("internal", "internal error")
        headers = {"rpc-code": e.code, "rpc-outcome": "executed" if started else "unknown" if method.redelivered else "not-executed"}
        reply = b"{}"  # an error without a message, if the message or the details do not encode
        with suppress(TypeError, ValueError, RecursionError):
            reply = JSON.encode({"code": e.code, "message": str(e), "details": e.details}).encode()
    send(method.delivery_tag, pika.BasicProperties(
        content_type="application/json", correlation_id=p.correlation_id or p.message_id, headers=headers), p.reply_to, reply)


def serve_on(connection, queue, handler):
    channel, pool = connection.channel(), ThreadPoolExecutor(WORKERS)

    def settle(tag, properties, reply_to, reply):
        first = (properties.headers or {}).get("rpc-outcome") == "not-executed"  # then nobody may get the request again
        if first:
            channel.basic_ack(tag)
        if reply_to:
            channel.basic_publish("", reply_to, reply, properties, mandatory=True)
        if not first:
            channel.basic_ack(tag)

    def on_request(ch, method, properties, body):
        if properties.reply_to and not re.fullmatch(r"(amqprpc\.reply\.|amq\.gen-)[^\0-\x1f\x7f-\x9f]*", str(properties.reply_to)):
            return channel.basic_reject(method.delivery_tag, requeue=False)
        pool.submit(work, handler, method, properties, body, time.time(),
                    lambda *reply: connection.add_callback_threadsafe(lambda: settle(*reply)))

    channel.queue_declare(queue, durable=True)
    channel.basic_qos(prefetch_count=WORKERS)
    channel.basic_consume(queue, on_request)
    channel.start_consuming()  # processes heartbeats, too


def serve(url, queue, handler):
    while True:
        with suppress(AMQPError, OSError), pika.BlockingConnection(pika.URLParameters(url)) as connection:
            serve_on(connection, queue, handler)
        time.sleep(0.2)  # before it connects again
