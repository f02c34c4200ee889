"""What services do with a broker, done with kombu. See doc.go for what it must print."""
import os
import socket
import uuid

import amqp.exceptions
from kombu import Connection, Consumer, Exchange, Producer, Queue

PREFIX = 'clients.kombu.'


def drain(connection, done):
    """Handle what arrives until done() is true."""
    for _ in range(1000):
        if done():
            return
        try:
            connection.drain_events(timeout=0.1)
        except socket.timeout:
            pass
    raise SystemExit('gave up waiting')


def fib(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def own_queue(**options):
    return Queue('clients-kombu-' + uuid.uuid4().hex, exclusive=True, durable=False, auto_delete=True, **options)


def text(message):
    body = message.body
    return body.decode() if isinstance(body, bytes) else body


def rpc(connection):
    server, client = connection.channel(), connection.channel()
    queue = Queue(PREFIX + 'rpc', durable=False, auto_delete=True)
    answer = Producer(server)

    def serve(body, message):
        answer.publish(fib(int(body)), routing_key=message.properties['reply_to'], serializer='json',
                       correlation_id=message.properties['correlation_id'])
        message.ack()

    replies = {}

    def on_reply(body, message):
        replies[message.properties['correlation_id']] = body

    callback = own_queue()
    with Consumer(server, queues=[queue], callbacks=[serve], accept=['json'], prefetch_count=1), \
            Consumer(client, queues=[callback], callbacks=[on_reply], accept=['json'], no_ack=True) as replying:
        ask = Producer(client)
        for n in range(10):
            ask.publish(n, routing_key=queue.name, serializer='json',
                        reply_to=replying.queues[0].name, correlation_id=str(n))
        drain(connection, lambda: len(replies) == 10)
        print('rpc:', *(replies[str(n)] for n in range(10)))

        direct = connection.channel()
        answers = []
        direct.basic_consume('amq.rabbitmq.reply-to', no_ack=True,
                             callback=lambda message: answers.append(text(message)))
        Producer(direct).publish(30, routing_key=queue.name, serializer='json',
                                 reply_to='amq.rabbitmq.reply-to', correlation_id='x')
        drain(connection, lambda: answers)
        print('direct reply-to:', *answers)
    for ch in (server, client, direct):
        ch.close()


def work(connection):
    ch = connection.channel()
    queue = Queue(PREFIX + 'work', durable=True)(ch)
    queue.declare()
    producer = Producer(ch)
    for n in range(10):
        producer.publish(str(n), routing_key=queue.name, delivery_mode='persistent')
    done, redelivered = [], []

    def on_task(message):
        n = int(text(message))
        if message.delivery_info['redelivered']:
            redelivered.append(n)
        elif n == 3:
            message.requeue()
            return
        done.append(n)
        message.ack()

    channels = [connection.channel(), connection.channel()]
    workers = [Consumer(w, queues=[Queue(queue.name, durable=True)], on_message=on_task, prefetch_count=1) for w in channels]
    for w in workers:
        w.consume()
    drain(connection, lambda: len(done) == 10)
    for w in channels:
        w.close()
    left = ch.queue_declare(queue.name, passive=True).message_count
    queue.delete()
    ch.close()
    print('work:', *sorted(done), '| redelivered:', *redelivered, '| left:', left)


def collect(ch, exchange, key):
    got = []
    consumer = Consumer(ch, queues=[own_queue(exchange=exchange, routing_key=key)],
                        on_message=lambda m: got.append(text(m)), no_ack=True)
    consumer.consume()
    return got


def pubsub(connection):
    ch = connection.channel()
    exchange = Exchange(PREFIX + 'logs', 'fanout', durable=False, auto_delete=True)
    a, b = collect(ch, exchange, ''), collect(ch, exchange, '')
    producer = Producer(ch, exchange)
    for body in ('one', 'two', 'three'):
        producer.publish(body)
    drain(connection, lambda: len(a) == 3 and len(b) == 3)
    ch.close()
    print('pub/sub:', *a, '|', *b)


def topics(connection):
    ch = connection.channel()
    exchange = Exchange(PREFIX + 'topics', 'topic', durable=False, auto_delete=True)
    errors, kernel, everything = (collect(ch, exchange, key) for key in ('*.error', 'kern.#', '#'))
    producer = Producer(ch, exchange)
    for key in ('kern.error', 'auth.error', 'kern.disk.full', 'auth.info', 'kern'):
        producer.publish(key, routing_key=key)
    drain(connection, lambda: len(everything) == 5 and len(errors) == 2 and len(kernel) == 3)
    ch.close()
    print('topics:', *errors, '|', *kernel)


def confirms(url):
    with Connection(url, transport_options={'confirm_publish': True}) as connection:
        ch = connection.channel()
        queue = own_queue()(ch)
        queue.declare()
        returned = []

        def on_return(exception, exchange, routing_key, message):
            returned.extend([exception.reply_code, exception.reply_text])

        producer = Producer(ch, on_return=on_return)
        confirmed = 0
        for n in range(20):
            producer.publish(str(n), routing_key=queue.name, mandatory=True)  # waits for its confirm
            confirmed += 1
        producer.publish('lost', routing_key=PREFIX + 'nobody', mandatory=True)
        drain(connection, lambda: returned)
        print('confirms:', confirmed, '| returned:', *returned)


def deadletters(connection):
    ch = connection.channel()
    dead = own_queue()(ch)
    dead.declare()
    queue = own_queue(queue_arguments={'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead.name})(ch)
    queue.declare()
    reasons = []

    def on_dead(message):
        death = message.headers['x-death'][0]
        reasons.append('%s %s x%d' % (text(message), death['reason'], death['count']))
        message.ack()

    producer = Producer(ch)
    producer.publish('bad', routing_key=queue.name)
    queue.get().reject()
    with Consumer(ch, queues=[dead], on_message=on_dead):
        drain(connection, lambda: len(reasons) == 1)
        producer.publish('late', routing_key=queue.name, expiration=0.02)
        drain(connection, lambda: len(reasons) == 2)
    ch.close()
    print('dead letters:', ', '.join(reasons))


def errors(connection):
    ch = connection.channel()
    try:
        ch.queue_declare(PREFIX + 'missing', passive=True)
    except amqp.exceptions.NotFound as e:
        print('errors:', e.reply_code, e.reply_text)


url = os.environ['AMQP_URL']
with Connection(url) as connection:
    for part in (rpc, work, pubsub, topics):
        part(connection)
    confirms(url)
    for part in (deadletters, errors):
        part(connection)
