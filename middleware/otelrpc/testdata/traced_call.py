#!/usr/bin/python3
"""Makes one call as a traced Python program does: traced_call.py URL QUEUE TRACE_ID SPAN_ID.

The header is what OpenTelemetry's TraceContextTextMapPropagator for Python writes into the
headers of pika's BasicProperties.
"""
import json
import sys

import pika

url, queue, trace_id, span_id = sys.argv[1:]
headers = {"traceparent": "00-{:032x}-{:016x}-{:02x}".format(int(trace_id, 16), int(span_id, 16), 1)}

connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
reply = []
channel.basic_consume("amq.rabbitmq.reply-to", lambda *delivery: reply.append(delivery[3]), auto_ack=True)
channel.basic_publish("", queue, json.dumps("").encode(), pika.BasicProperties(
    content_type="application/json",
    correlation_id="from-python",
    reply_to="amq.rabbitmq.reply-to",
    expiration="20000",
    headers=headers,
))
while not reply:
    connection.process_data_events(time_limit=20)
print(reply[0].decode())
connection.close()
