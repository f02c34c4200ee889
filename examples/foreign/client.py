"""A core client of docs/protocol.md. It needs pika."""
import json
import threading
import time
import uuid
from concurrent.futures import Future, TimeoutError
from contextlib import suppress

import pika
from pika.exceptions import AMQPError, NackError, UnroutableError

CODES = """canceled unknown invalid_argument deadline_exceeded not_found already_exists permission_denied resource_exhausted
failed_precondition aborted out_of_range unimplemented internal unavailable data_loss unauthenticated""".split()


class CallError(Exception):
    def __init__(self, code, message, outcome, details=()):  # any of them may come from a server, and be anything
        super().__init__(message if isinstance(message, str) else "the error has no message")
        self.code = code if code in CODES else "unknown"
        self.outcome = outcome if outcome in ("executed", "not-executed") else "unknown"
        named = [d for d in (details if isinstance(details, list) else ()) if isinstance(d, dict) and isinstance(d.get("name"), str)]
        self.details = [{"name": d["name"], "value": d.get("value")} for d in named]


class Client:  # many threads may call; only the thread of run uses the connection
    def __init__(self, url):
        self.parameters, self.pending = pika.URLParameters(url), {}
        self.parameters.blocked_connection_timeout = 10  # then no confirm would come
        self.connect()
        threading.Thread(target=self.run, daemon=True).start()

    def connect(self):
        connection = pika.BlockingConnection(self.parameters)
        self.channel = connection.channel()
        self.channel.confirm_delivery()
        self.replies = self.channel.queue_declare("", exclusive=True).method.queue
        self.channel.basic_consume(self.replies, self.on_reply, auto_ack=True)
        self.connection = connection

    def run(self):
        while True:
            with suppress(AMQPError, OSError):
                if not self.connection.is_open:
                    self.connect()
                while self.channel.is_open and self.channel.consumer_tags:
                    self.connection.process_data_events(time_limit=1)  # heartbeats, replies and publish
                self.connection.close()
            for future in list(self.pending.values()):
                self.fail(future, "unavailable", "the connection was lost")
            time.sleep(0.2)

    def fail(self, future, code, message, outcome=None):
        if self.pending.pop(future.id, None):
            future.set_exception(CallError(code, message, outcome or ("unknown" if future.sent else "not-executed")))

    def publish(self, future, queue, body, deadline):
        left = int((deadline - time.time()) * 1000)
        future.sent = left > 0  # before the look at pending: no call ends as not-executed and is published
        try:
            if future.sent and future.id in self.pending:  # else call reports why not
                self.channel.basic_publish("", queue, body, mandatory=True, properties=pika.BasicProperties(
                    content_type="application/json", correlation_id=future.id, message_id=future.id, reply_to=self.replies,
                    expiration=str(left + 1), headers={"rpc-deadline": int(deadline * 1000)}))
        except (UnroutableError, NackError) as e:
            self.fail(future, "unavailable", repr(e), "not-executed" if isinstance(e, UnroutableError) else "unknown")

    def on_reply(self, channel, method, p, body):
        future = self.pending.pop(p.correlation_id, Future())  # of a call that has ended, one that nobody waits for
        headers, result = p.headers or {}, None
        unread = str(p.content_encoding or "identity").lower() not in ("utf-8", "us-ascii", "binary", "identity") or str(
            p.content_type or "application/json").split(";")[0].strip().lower() != "application/json"
        try:
            result = json.loads(body.decode(), parse_constant=int)  # int refuses NaN and the infinities
        except (ValueError, RecursionError):
            unread = True
        if "rpc-code" in headers:
            e = result if isinstance(result, dict) else {}
            future.set_exception(CallError(headers["rpc-code"], e.get("message"), headers.get("rpc-outcome"), e.get("details")))
        elif unread:
            future.set_exception(CallError("internal", "the reply does not decode", "executed"))
        else:
            future.set_result(result)

    def call(self, queue, request, timeout=30.0):
        future, deadline = Future(), time.time() + min(timeout, 315359999)  # within ten years
        future.id, future.sent = str(uuid.uuid4()), False
        try:
            body = json.dumps(request, allow_nan=False, ensure_ascii=False).encode()
            if not 0 < len(queue.encode()) < 256 or queue.startswith("amq.rabbitmq.reply-to"):
                raise ValueError("no queue has that name")
        except (TypeError, ValueError, RecursionError) as e:
            raise CallError("invalid_argument", f"the request cannot be sent: {e}", "not-executed")
        self.pending[future.id] = future
        try:
            self.connection.add_callback_threadsafe(lambda: self.publish(future, queue, body, deadline))
            return future.result(deadline - time.time())
        except (AMQPError, TimeoutError) as e:  # not connected, or no answer in time
            self.fail(future, "unavailable" if isinstance(e, AMQPError) else "deadline_exceeded", repr(e))
            return future.result()  # the answer may have won
