"""A client of server streams and of cancels, as docs/protocol.md has them, with JSON bodies. It needs pika.

    stream.py URL QUEUE REQUEST_JSON [COUNT]            prints the items, at most COUNT of them
    stream.py URL --cancel QUEUE REQUEST_JSON SECONDS   calls, and cancels after SECONDS"""
import json
import re
import sys
from contextlib import closing, suppress
from hashlib import sha256
from itertools import islice
from math import inf
from queue import Empty, SimpleQueue
from secrets import token_bytes, token_hex
from threading import Thread
from time import monotonic, sleep, time

from pika import BasicProperties, BlockingConnection, URLParameters
from pika.exceptions import AMQPError, UnroutableError

CODES = """canceled unknown invalid_argument deadline_exceeded not_found already_exists permission_denied
resource_exhausted failed_precondition aborted out_of_range unimplemented internal unavailable data_loss
unauthenticated""".split()
ACCEPT, ITEM, END, STATE, MISSING, PROBE, RESET, BEAT, STREAM = range(1, 10)
HEAD = re.compile(rb"(?s)(.)" + 3 * rb"([\x80-\xff]{0,8}[\0-\x7f])")  # of a frame: type, number, argument, length
BAD_NAME = re.compile(r"$|amq\.rabbitmq\.reply-to|.*[\0-\x1f\x7f-\x9f]", re.DOTALL)
TIMEOUT, BEATS, SILENCE = 30, 10, 45  # seconds: for an accept or a reply; between beats; until a server counts as dead
JSON, MESSAGE, DONE = "application/json", "application/vnd.amqprpc.stream", object()


class CallError(Exception):
    def __init__(self, code, outcome, error):  # error: a message, or what a server sent, which may be anything
        error = error if isinstance(error, dict) else {"message": error}
        message, details = error.get("message"), error.get("details")
        super().__init__(message if isinstance(message, str) else "the error has no message")
        self.code = code if code in CODES else "unknown"
        self.outcome = outcome if outcome in ("executed", "not-executed") else "unknown"
        details = [d for d in details if isinstance(d, dict)] if isinstance(details, list) else []
        self.details = [{"name": d["name"], "value": d.get("value")} for d in details if isinstance(d.get("name"), str)]


def decode(body):  # returns the value, or what to raise instead of it
    try:
        return json.loads(body.decode(), parse_constant=int)  # int refuses NaN and the infinities
    except (ValueError, RecursionError) as e:
        return CallError("internal", "executed", f"the server's message does not decode: {e}")


def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def unpack(body):  # the streams, each with its frames. A frame that cannot be read drops them all
    at, streams = 17, [(body[9:17], body[1:9], [])]  # the tokens of the sender and of the receiver come after the version
    while head := HEAD.match(body, at):
        kind, number, _, size = (sum((b & 127) << 7 * i for i, b in enumerate(g)) for g in head.groups())
        at = head.end() + size
        payload = body[head.end():at]
        if kind != STREAM:
            streams[-1][2].append((kind, number, payload))
        elif size != 16:
            break
        else:
            streams.append((payload[8:], payload[:8], []))
    return streams if at == len(body) > 17 and body[0] == 1 else []


class Call:
    """A call, or a stream if it has a window. A thread with a connection of its own sends beats while the user is slow.
    The reply queue is exclusive: it vanishes with the connection, so a lost connection ends the call or stream."""
    over = left = sent = peer = missing = False  # left: by the user. peer: the server's queue, its token and ours
    expected = probe = received = consumed = reported = heard = written = 0  # reported: received, in the last state

    def __init__(self, window=0):
        self.window = self.limit = window
        self.id, self.token, self.items = token_hex(), token_bytes(8), SimpleQueue()
        self.due, self.deadline = inf, monotonic() + TIMEOUT  # when a state is due; when an answer is overdue

    def results(self, *request, seconds=None):
        thread = Thread(target=self.run, args=request, daemon=True)
        thread.start()
        try:
            for cost, item in iter(lambda: self.items.get(timeout=seconds), DONE):
                if isinstance(item, CallError):
                    raise item
                yield item
                self.consumed += cost
        except Empty:
            raise CallError("canceled", "unknown" if self.sent else "not-executed", "the caller gave up") from None
        finally:
            self.left = True
            thread.join(5)

    def run(self, url, queue, request):  # all from here on runs on the thread
        try:
            body = json.dumps(request, allow_nan=False, ensure_ascii=False).encode()
            if BAD_NAME.match(queue) or len(queue.encode()) > 255:
                raise ValueError("no queue has that name")
            with BlockingConnection(URLParameters(url)) as connection:
                self.open(connection.channel(), queue, body)
                while self.channel.is_open and self.channel.consumer_tags and not self.over and not self.left:
                    self.tick(monotonic())
                    connection.process_data_events(0.01)  # AMQP's heartbeats, too
                if not self.over:
                    self.give_up(queue)
                    raise AMQPError("the reply queue was lost")  # or nobody is left who hears this
        except CallError as e:
            self.items.put((0, e))
        except Exception as e:
            code = "unavailable" if isinstance(e, (AMQPError, OSError)) else "invalid_argument"
            sent = self.sent and (self.peer or not isinstance(e, UnroutableError))
            self.items.put((0, CallError(code, "unknown" if sent else "not-executed", repr(e))))
        self.items.put(DONE)

    def open(self, channel, queue, body):
        self.channel, self.replies = channel, channel.queue_declare("", exclusive=True).method.queue
        channel.confirm_delivery()
        channel.basic_consume(self.replies, self.on_message, auto_ack=True)
        self.tick(monotonic())  # raises if the deadline has passed
        self.sent, left = True, int((self.deadline - monotonic()) * 1000)
        headers = {"rpc-deadline": int(time() * 1000) + left}
        if self.window:  # a stream without a deadline: left bounds the wait for the accept only
            headers = {"rpc-stream": "server", "rpc-token": self.token.hex(), "rpc-window": self.window}
        channel.basic_publish("", queue, body, mandatory=True, properties=BasicProperties(
            JSON, headers=headers, correlation_id=self.id, message_id=self.id, reply_to=self.replies,
            expiration=str(left + 1)))

    def send(self, peer, kind, number=0, argument=0, payload=b""):
        (queue, *tokens), began = peer, monotonic()
        body = b"".join([b"\1", *tokens, *map(varint, (kind, number, argument, len(payload))), payload])
        self.channel.basic_publish("", queue, body, BasicProperties(MESSAGE, reply_to=self.replies), mandatory=True)
        self.written = monotonic()
        self.heard += self.written - began  # time in which the broker takes no messages does not count

    def send_state(self):
        self.reported, self.due, self.limit = self.received, inf, self.consumed + self.window
        payload = varint(self.probe) if self.probe else b""
        self.send(self.peer, MISSING if self.missing else STATE, self.expected, self.limit, payload)

    def tick(self, now):
        silent = self.peer and now >= self.heard + SILENCE
        if silent or now >= self.deadline:
            code = "unavailable" if silent else "deadline_exceeded"
            raise CallError(code, "unknown" if self.sent else "not-executed", "nothing came from the server in time")
        news = max(self.consumed + self.window - self.limit, self.received - self.reported)
        if self.peer and (now >= self.due or news >= self.window / 4):
            self.send_state()
        elif self.peer and now >= self.written + BEATS:
            self.send(self.peer, BEAT)

    def give_up(self, queue):
        if self.peer:
            return self.send(self.peer, RESET)
        key, left = f"cancel.{queue}", max(1, int((self.deadline - monotonic()) * 1000))
        key = key if len(key.encode()) < 256 else "~" + sha256(key.encode()).hexdigest()
        self.channel.basic_publish("amqprpc.control", key, json.dumps([self.id]), BasicProperties(
            JSON, type="cancel", expiration=str(left)))  # a 404 closes the channel, which is not needed any more

    def on_message(self, channel, method, properties, body):
        if self.over:
            return
        if properties.content_type != MESSAGE and properties.correlation_id == self.id and not self.expected:
            self.on_reply(properties.headers or {}, body)
        elif properties.content_type == MESSAGE and str(properties.reply_to).startswith("amqprpc.instance."):
            for *tokens, frames in unpack(body):
                self.on_frames((properties.reply_to, *tokens), frames)

    def on_frames(self, peer, frames):
        if peer[2] == self.token and not self.expected and frames and (frames[0][0] == ACCEPT or not self.peer):
            # the first accept binds. Before it, a message of another kind means that its accept was lost
            self.peer, self.probe, self.written = peer, 0, monotonic()
        if peer == self.peer:
            self.heard = monotonic()
            for frame in frames:
                self.take(*frame)
        elif any(kind in (ACCEPT, ITEM, END, PROBE) for kind, *_ in frames):
            sleep(0.01)  # at most 100 resets a second
            with suppress(UnroutableError):
                self.send(peer, RESET)

    def on_reply(self, headers, body):
        if "rpc-code" in headers:
            raise CallError(headers["rpc-code"], headers.get("rpc-outcome"), decode(body))
        if self.window:
            raise CallError("unimplemented", "executed", "the queue takes calls, and no streams")
        self.over = True
        self.items.put((0, decode(body)))  # another format or encoding does not decode, either

    def take(self, kind, number, payload):
        if kind == PROBE:
            self.probe, self.due = max(self.probe, number), 0
        elif kind == RESET:
            self.finish(payload, "unknown", {"code": "unavailable", "message": "the server has reset the stream"})
        elif kind in (ACCEPT, ITEM, END) and number > self.expected and not self.missing:
            self.missing, self.due = True, 0
        elif kind in (ACCEPT, ITEM, END) and number == self.expected:
            self.expected, self.missing, self.due = number + 1, False, min(self.due, monotonic() + 0.05)
            if kind == ACCEPT:
                self.deadline = inf
            elif kind == END:
                self.send_state()
                self.finish(payload, "executed")
            elif self.received >= self.limit:
                self.send(self.peer, RESET, payload=b'{"error":{"code":"resource_exhausted","message":"no room"}}')
                raise CallError("resource_exhausted", "unknown", "the server has sent an item beyond the limit")
            else:
                self.received += len(payload) + 1024
                self.items.put((len(payload) + 1024, decode(payload)))

    def finish(self, payload, outcome, error=None):
        ending, self.over = decode(payload or b"{}"), True
        error = ending.get("error", error) if isinstance(ending, dict) else {}  # what cannot be read is no clean end
        if error is not None:
            raise CallError(error.get("code") if isinstance(error, dict) else "unknown", outcome, error)


def stream(url, queue, request, window=1 << 18):
    """Yields the items of a server stream. Leaving the loop cancels the handler."""
    yield from Call(max(1, window)).results(url, queue, request)


def call_and_cancel(url, queue, request, seconds):
    """Returns the result of a call, or cancels it after some seconds."""
    return next(Call().results(url, queue, request, seconds=seconds))


if __name__ == "__main__":
    url, queue, request, *rest = sys.argv[1:]
    try:
        if queue == "--cancel":
            print(json.dumps(call_and_cancel(url, request, json.loads(rest[0]), float(rest[1]))))
        else:
            with closing(stream(url, queue, json.loads(request))) as items:
                for item in islice(items, int(rest[0]) if rest else None):
                    print(json.dumps(item), flush=True)
    except CallError as e:
        print(json.dumps({"code": e.code, "message": str(e), "outcome": e.outcome, "details": e.details}))
