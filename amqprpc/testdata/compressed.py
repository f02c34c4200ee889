#!/usr/bin/env python3
"""Speaks the optional part "Compression" of docs/protocol.md, for a test. It needs pika.

compressed.py call URL QUEUE TEXT   makes one call and prints the reply's content_encoding and result
compressed.py serve URL QUEUE       answers each text with the content_encoding of the request and the text, compressed if the caller accepts that
"""
import gzip
import json
import sys

import pika

mode, url, queue = sys.argv[1:4]
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()


def plain(properties, body):
    return json.loads(gzip.decompress(body) if properties.content_encoding == "gzip" else body)


def call(text):
    replies = channel.queue_declare("", exclusive=True).method.queue
    channel.basic_publish("", queue, gzip.compress(json.dumps(text).encode()), pika.BasicProperties(
        content_type="application/json", content_encoding="gzip", correlation_id="1", reply_to=replies,
        headers={"rpc-accept-encoding": "br, gzip"}))
    for _, properties, body in channel.consume(replies, auto_ack=True):
        print(json.dumps([properties.content_encoding, plain(properties, body)]), flush=True)
        return


def serve(_, method, properties, body):
    text = plain(properties, body)
    reply, encoding = json.dumps([properties.content_encoding or "", text]).encode(), None
    if "gzip" in (properties.headers or {}).get("rpc-accept-encoding", "").split(", "):
        reply, encoding = gzip.compress(reply), "gzip"
    channel.basic_publish("", properties.reply_to, reply, pika.BasicProperties(
        content_type="application/json", content_encoding=encoding, correlation_id=properties.correlation_id))
    channel.basic_ack(method.delivery_tag)


if mode == "call":
    call(sys.argv[4])
else:
    channel.queue_declare(queue, durable=True)
    channel.basic_consume(queue, serve)
    channel.start_consuming()
