"""A core client of docs/protocol.md. It needs pika."""
import json
import threading
import time
import uuid
from concurrent.futures import Future, TimeoutError

import pika
from pika.exceptions import AMQPError, NackError, UnroutableError

CODES = """canceled unknown invalid_argument deadline_exceeded not_found already_exists permission_denied resource_exhausted
failed_precondition aborted out_of_range unimplemented internal unavailable data_loss unauthenticated""".split()


class CallError(Exception):
    def __init__(self, code, message, outcome, details=None):
        super().__init__(message)
        self.code = code if code in CODES else "unknown"
        self.outcome = outcome if outcome in ("executed", "not-executed") else "unknown"
        self.details = details or []


class Client:
    """Its methods may be called by many threads. Only the thread of run uses the connection."""

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
            try:
                if not self.connection.is_open:
                    self.connect()
                self.connection.process_data_events(time_limit=1)  # heartbeats, replies and publish
                if not self.channel.is_open:
                    raise AMQPError("the channel was closed")
            except (AMQPError, OSError) as e:
                if self.connection.is_open:  # only the channel was lost
                    self.connection.close()
                for future in list(self.pending.values()):
                    self.fail(future, "unavailable", f"the connection was lost: {e!r}")
                time.sleep(0.2)

    def fail(self, future, code, message, outcome=None):
        if self.pending.pop(future.id, None):
            future.set_exception(CallError(code, message, outcome or ("unknown" if future.sent else "not-executed")))

    def publish(self, future, queue, body, deadline):
        future.sent = future.id in self.pending and deadline > time.time()
        if not future.sent:
            return  # call reports that
        try:
            self.channel.basic_publish("", queue, body, mandatory=True, properties=pika.BasicProperties(
                content_type="application/json", correlation_id=future.id, message_id=future.id,
                reply_to=self.replies, expiration=str(int((deadline - time.time()) * 1000) + 1),
                headers={"rpc-deadline": int(deadline * 1000)}))
        except UnroutableError:
            self.fail(future, "unavailable", f"there is no queue {queue}", "not-executed")
        except NackError:
            self.fail(future, "unavailable", "the broker refused the request", "unknown")

    def on_reply(self, channel, method, properties, body):
        future = self.pending.pop(properties.correlation_id, None)
        if future is None:
            return  # it answers a call that has ended
        headers, result = properties.headers or {}, None
        try:
            if (properties.content_type or "application/json").split(";")[0].strip().lower() != "application/json":
                raise ValueError(properties.content_type)
            result = json.loads(body)
        except ValueError:
            headers = {"rpc-code": "internal", "rpc-outcome": "executed", **headers}
        if "rpc-code" not in headers:
            return future.set_result(result)
        error = result if isinstance(result, dict) else {"message": "the reply does not decode"}
        future.set_exception(CallError(headers["rpc-code"], error.get("message"), headers.get("rpc-outcome"), error.get("details")))

    def call(self, queue, request, timeout=30.0):
        future, deadline = Future(), time.time() + timeout
        future.id, future.sent = str(uuid.uuid4()), False
        body = json.dumps(request, allow_nan=False).encode()
        self.pending[future.id] = future
        try:
            self.connection.add_callback_threadsafe(lambda: self.publish(future, queue, body, deadline))
            return future.result(timeout)
        except (AMQPError, TimeoutError) as e:  # not connected, or no answer in time
            self.fail(future, "unavailable" if isinstance(e, AMQPError) else "deadline_exceeded", repr(e))
            return future.result()  # the answer may have won
