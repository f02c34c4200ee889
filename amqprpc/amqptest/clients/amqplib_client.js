// What services do with a broker, done with Node's amqplib. See doc.go for what it must print.
'use strict';

const amqp = require('amqplib');

const prefix = 'clients.amqplib.';

function fib(n) {
  let [a, b] = [0, 1];
  for (let i = 0; i < n; i++) [a, b] = [b, a + b];
  return a;
}

// until resolves when done() is true, looked at whenever something has arrived.
function waiter() {
  let check = () => {};
  return {
    touch: () => check(),
    until: (done) => new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('gave up waiting')), 60000);
      check = () => { if (done()) { clearTimeout(timer); resolve(); } };
      check();
    }),
  };
}

async function rpc(connection) {
  const server = await connection.createChannel();
  const { queue } = await server.assertQueue(prefix + 'rpc', { durable: false, autoDelete: true });
  await server.prefetch(1);
  await server.consume(queue, (m) => {
    const { replyTo, correlationId } = m.properties;
    server.sendToQueue(replyTo, Buffer.from(String(fib(Number(m.content)))), { correlationId });
    server.ack(m);
  });

  const client = await connection.createChannel();
  const callback = (await client.assertQueue('', { exclusive: true })).queue;
  const replies = {};
  const w = waiter();
  await client.consume(callback, (m) => { replies[m.properties.correlationId] = m.content.toString(); w.touch(); }, { noAck: true });
  for (let n = 0; n < 10; n++) {
    client.sendToQueue(queue, Buffer.from(String(n)), { replyTo: callback, correlationId: String(n) });
  }
  await w.until(() => Object.keys(replies).length === 10);
  console.log('rpc:', Array.from({ length: 10 }, (_, n) => replies[n]).join(' '));

  const direct = await connection.createChannel();
  const answers = [];
  await direct.consume('amq.rabbitmq.reply-to', (m) => { answers.push(m.content.toString()); w.touch(); }, { noAck: true });
  direct.sendToQueue(queue, Buffer.from('30'), { replyTo: 'amq.rabbitmq.reply-to', correlationId: 'x' });
  await w.until(() => answers.length > 0);
  console.log('direct reply-to:', answers.join(' '));
  for (const ch of [server, client, direct]) await ch.close();
}

async function work(connection) {
  const ch = await connection.createChannel();
  const queue = prefix + 'work';
  await ch.assertQueue(queue, { durable: true });
  for (let n = 0; n < 10; n++) ch.sendToQueue(queue, Buffer.from(String(n)), { persistent: true });
  const done = [];
  const redelivered = [];
  const w = waiter();
  const workers = [await connection.createChannel(), await connection.createChannel()];
  for (const worker of workers) {
    await worker.prefetch(1);
    await worker.consume(queue, (m) => {
      const n = Number(m.content);
      if (m.fields.redelivered) redelivered.push(n);
      else if (n === 3) { worker.nack(m, false, true); return; }
      done.push(n);
      worker.ack(m);
      w.touch();
    });
  }
  await w.until(() => done.length === 10);
  for (const worker of workers) await worker.close();
  const left = (await ch.checkQueue(queue)).messageCount;
  await ch.deleteQueue(queue);
  await ch.close();
  console.log('work:', done.sort((a, b) => a - b).join(' '), '| redelivered:', redelivered.join(' '), '| left:', left);
}

async function collect(ch, exchange, key, w) {
  const { queue } = await ch.assertQueue('', { exclusive: true });
  await ch.bindQueue(queue, exchange, key);
  const got = [];
  await ch.consume(queue, (m) => { got.push(m.content.toString()); w.touch(); }, { noAck: true });
  return got;
}

async function pubsub(connection) {
  const ch = await connection.createChannel();
  const exchange = prefix + 'logs';
  await ch.assertExchange(exchange, 'fanout', { durable: false, autoDelete: true });
  const w = waiter();
  const a = await collect(ch, exchange, '', w);
  const b = await collect(ch, exchange, '', w);
  for (const body of ['one', 'two', 'three']) ch.publish(exchange, '', Buffer.from(body));
  await w.until(() => a.length === 3 && b.length === 3);
  await ch.close();
  console.log('pub/sub:', a.join(' '), '|', b.join(' '));
}

async function topics(connection) {
  const ch = await connection.createChannel();
  const exchange = prefix + 'topics';
  await ch.assertExchange(exchange, 'topic', { durable: false, autoDelete: true });
  const w = waiter();
  const errors = await collect(ch, exchange, '*.error', w);
  const kernel = await collect(ch, exchange, 'kern.#', w);
  const everything = await collect(ch, exchange, '#', w);
  for (const key of ['kern.error', 'auth.error', 'kern.disk.full', 'auth.info', 'kern']) {
    ch.publish(exchange, key, Buffer.from(key));
  }
  await w.until(() => everything.length === 5 && errors.length === 2 && kernel.length === 3);
  await ch.close();
  console.log('topics:', errors.join(' '), '|', kernel.join(' '));
}

async function confirms(connection) {
  const ch = await connection.createConfirmChannel();
  const returned = [];
  ch.on('return', (m) => returned.push(m.fields.replyCode, m.fields.replyText));
  const { queue } = await ch.assertQueue('', { exclusive: true });
  let confirmed = 0;
  for (let n = 0; n < 20; n++) {
    ch.sendToQueue(queue, Buffer.from(String(n)), { mandatory: true }, (err) => { if (!err) confirmed++; });
  }
  await ch.waitForConfirms();
  ch.sendToQueue(prefix + 'nobody', Buffer.from('lost'), { mandatory: true });
  await ch.waitForConfirms(); // the return comes before the confirm
  await ch.close();
  console.log('confirms:', confirmed, '| returned:', returned.join(' '));
}

async function deadletters(connection) {
  const ch = await connection.createChannel();
  const dead = (await ch.assertQueue('', { exclusive: true })).queue;
  const { queue } = await ch.assertQueue('', { exclusive: true, deadLetterExchange: '', deadLetterRoutingKey: dead });
  const reasons = [];
  const w = waiter();
  ch.sendToQueue(queue, Buffer.from('bad'));
  ch.reject(await ch.get(queue), false);
  await ch.consume(dead, (m) => {
    const death = m.properties.headers['x-death'][0];
    reasons.push(`${m.content} ${death.reason} x${death.count}`);
    ch.ack(m);
    w.touch();
  });
  await w.until(() => reasons.length === 1);
  ch.sendToQueue(queue, Buffer.from('late'), { expiration: 20 });
  await w.until(() => reasons.length === 2);
  await ch.close();
  console.log('dead letters:', reasons.join(', '));
}

async function errors(connection) {
  const ch = await connection.createChannel();
  const closed = new Promise((resolve) => ch.on('error', resolve));
  ch.checkQueue(prefix + 'missing').catch(() => {});
  const err = await closed;
  // amqplib's own sentence has the broker's text in quotes at its end.
  console.log('errors:', err.code, /"([^"]*)"$/.exec(err.message)[1]);
}

async function main() {
  const connection = await amqp.connect(process.env.AMQP_URL);
  for (const part of [rpc, work, pubsub, topics, confirms, deadletters, errors]) await part(connection);
  await connection.close();
}

main().catch((err) => { console.error(err); process.exit(1); });
