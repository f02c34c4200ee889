"""What services do with a broker, done with pika. See doc.go for what it must print."""
import os

import pika

PREFIX = 'clients.pika.'


def connect():
    return pika.BlockingConnection(pika.URLParameters(os.environ['AMQP_URL']))


def drain(connection, done):
    """Handle what arrives until done() is true."""
    for _ in range(1000):
        if done():
            return
        connection.process_data_events(time_limit=0.1)
    raise SystemExit('gave up waiting')


def fib(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def rpc(connection):
    server = connection.channel()
    queue = server.queue_declare(PREFIX + 'rpc', auto_delete=True).method.queue
    server.basic_qos(prefetch_count=1)

    def serve(ch, method, props, body):
        ch.basic_publish('', props.reply_to, str(fib(int(body))),
                         pika.BasicProperties(correlation_id=props.correlation_id))
        ch.basic_ack(method.delivery_tag)

    server.basic_consume(queue, serve)

    client = connection.channel()
    callback = client.queue_declare('', exclusive=True).method.queue
    replies = {}

    def on_reply(ch, method, props, body):
        replies[int(props.correlation_id)] = body.decode()

    client.basic_consume(callback, on_reply, auto_ack=True)
    for n in range(10):
        client.basic_publish('', queue, str(n), pika.BasicProperties(reply_to=callback, correlation_id=str(n)))
    drain(connection, lambda: len(replies) == 10)
    print('rpc:', *(replies[n] for n in range(10)))

    direct = connection.channel()
    answers = []
    direct.basic_consume('amq.rabbitmq.reply-to', lambda ch, method, props, body: answers.append(body.decode()), auto_ack=True)
    direct.basic_publish('', queue, '30', pika.BasicProperties(reply_to='amq.rabbitmq.reply-to', correlation_id='x'))
    drain(connection, lambda: answers)
    print('direct reply-to:', *answers)
    for ch in (server, client, direct):
        ch.close()


def work(connection):
    ch = connection.channel()
    queue = ch.queue_declare(PREFIX + 'work', durable=True).method.queue
    for n in range(10):
        ch.basic_publish('', queue, str(n), pika.BasicProperties(delivery_mode=2))
    done, redelivered = [], []

    def worker():
        w = connection.channel()
        w.basic_qos(prefetch_count=1)

        def on_task(ch, method, props, body):
            if method.redelivered:
                redelivered.append(int(body))
            elif body == b'3':
                ch.basic_nack(method.delivery_tag, requeue=True)
                return
            done.append(int(body))
            ch.basic_ack(method.delivery_tag)

        w.basic_consume(queue, on_task)
        return w

    workers = [worker(), worker()]
    drain(connection, lambda: len(done) == 10)
    for w in workers:
        w.close()
    left = ch.queue_declare(queue, durable=True, passive=True).method.message_count
    ch.queue_delete(queue)
    ch.close()
    print('work:', *sorted(done), '| redelivered:', *redelivered, '| left:', left)


def collect(ch, exchange, *keys):
    """Consume a queue of our own bound with keys; the list fills as messages come."""
    queue = ch.queue_declare('', exclusive=True).method.queue
    for key in keys:
        ch.queue_bind(queue, exchange, key)
    got = []
    ch.basic_consume(queue, lambda ch, method, props, body: got.append(body.decode()), auto_ack=True)
    return got


def pubsub(connection):
    ch = connection.channel()
    exchange = PREFIX + 'logs'
    ch.exchange_declare(exchange, 'fanout', auto_delete=True)
    a, b = collect(ch, exchange, ''), collect(ch, exchange, '')
    for body in ('one', 'two', 'three'):
        ch.basic_publish(exchange, '', body)
    drain(connection, lambda: len(a) == 3 and len(b) == 3)
    ch.close()
    print('pub/sub:', *a, '|', *b)


def topics(connection):
    ch = connection.channel()
    exchange = PREFIX + 'topics'
    ch.exchange_declare(exchange, 'topic', auto_delete=True)
    errors, kernel = collect(ch, exchange, '*.error'), collect(ch, exchange, 'kern.#')
    everything = collect(ch, exchange, '#')
    for key in ('kern.error', 'auth.error', 'kern.disk.full', 'auth.info', 'kern'):
        ch.basic_publish(exchange, key, key)
    drain(connection, lambda: len(everything) == 5 and len(errors) == 2 and len(kernel) == 3)
    ch.close()
    print('topics:', *errors, '|', *kernel)


def confirms(connection):
    ch = connection.channel()
    ch.confirm_delivery()
    queue = ch.queue_declare('', exclusive=True).method.queue
    confirmed, returned = 0, []
    for n in range(20):
        ch.basic_publish('', queue, str(n), mandatory=True)
        confirmed += 1
    try:
        ch.basic_publish('', PREFIX + 'nobody', 'lost', mandatory=True)
    except pika.exceptions.UnroutableError as e:
        returned = [m.method.reply_code for m in e.messages] + [m.method.reply_text for m in e.messages]
    ch.close()
    print('confirms:', confirmed, '| returned:', *returned)


def deadletters(connection):
    ch = connection.channel()
    dead = ch.queue_declare('', exclusive=True).method.queue
    queue = ch.queue_declare('', exclusive=True, arguments={
        'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead}).method.queue
    reasons = []

    def on_dead(ch, method, props, body):
        death = props.headers['x-death'][0]
        reasons.append('%s %s x%d' % (body.decode(), death['reason'], death['count']))
        ch.basic_ack(method.delivery_tag)

    ch.basic_publish('', queue, 'bad')
    method, _, _ = ch.basic_get(queue)
    ch.basic_reject(method.delivery_tag, requeue=False)
    ch.basic_consume(dead, on_dead)
    drain(connection, lambda: len(reasons) == 1)
    ch.basic_publish('', queue, 'late', pika.BasicProperties(expiration='20'))
    drain(connection, lambda: len(reasons) == 2)
    ch.close()
    print('dead letters:', ', '.join(reasons))


def errors(connection):
    ch = connection.channel()
    try:
        ch.queue_declare(PREFIX + 'missing', passive=True)
    except pika.exceptions.ChannelClosedByBroker as e:
        print('errors:', e.reply_code, e.reply_text)


connection = connect()
for part in (rpc, work, pubsub, topics, confirms, deadletters, errors):
    part(connection)
connection.close()
