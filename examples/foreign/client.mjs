// A core client of docs/protocol.md. It needs amqplib. A line of input is a call: ["queue", request, seconds].
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const amqp = createRequire(import.meta.url)('amqplib'); // which looks in NODE_PATH, as import does not

const codes = new Set(('canceled unknown invalid_argument deadline_exceeded not_found already_exists permission_denied '
  + 'resource_exhausted failed_precondition aborted out_of_range unimplemented internal unavailable data_loss '
  + 'unauthenticated').split(' '));

export class CallError extends Error {
  constructor(code, message, outcome, details) {
    super(message);
    this.code = codes.has(code) ? code : 'unknown';
    this.outcome = ['executed', 'not-executed'].includes(outcome) ? outcome : 'unknown';
    this.details = details ?? [];
  }
}

export class Client {
  pending = new Map();

  static async connect(url) {
    const client = new Client();
    await client.open(url);
    return client;
  }

  async open(url) {
    const connection = await amqp.connect(url);
    connection.on('error', () => {}); // 'close' follows
    connection.on('close', () => this.lost(url));
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {});
    channel.on('close', () => connection.close().catch(() => {}));
    channel.on('return', (m) => this.fail(m.properties.correlationId, 'unavailable', 'there is no such queue', 'not-executed'));
    this.replyTo = (await channel.assertQueue('', { exclusive: true, durable: false })).queue;
    await channel.consume(this.replyTo, (m) => m && this.reply(m), { noAck: true });
    Object.assign(this, { connection, channel });
  }

  lost(url) {
    this.channel = undefined;
    for (const id of [...this.pending.keys()]) this.fail(id, 'unavailable', 'the connection was lost', 'unknown');
    if (!this.closed) setTimeout(() => this.open(url).catch(() => this.lost(url)), 200);
  }

  fail(id, code, message, outcome, details) { this.take(id)?.reject(new CallError(code, message, outcome, details)); }

  take(id) {
    const call = this.pending.get(id);
    clearTimeout(call?.timer);
    this.pending.delete(id);
    return call;
  }

  reply({ properties, content }) {
    const { headers = {}, correlationId: id, contentType } = properties;
    const isJSON = (contentType || 'application/json').split(';')[0].trim().toLowerCase() === 'application/json';
    let body, error = isJSON ? undefined : new Error(contentType);
    try { if (isJSON) body = JSON.parse(content.toString()); } catch (e) { error = e; }
    if ('rpc-code' in headers) this.fail(id, headers['rpc-code'], body?.message ?? 'an error', headers['rpc-outcome'], body?.details);
    else if (error) this.fail(id, 'internal', `the reply does not decode: ${error.message}`, 'executed');
    else this.take(id)?.resolve(body);
  }

  call(queue, request, seconds = 30) {
    return new Promise((resolve, reject) => {
      const id = randomUUID(), millis = Math.max(1, Math.ceil(seconds * 1000));
      if (!this.channel) return reject(new CallError('unavailable', 'not connected', 'not-executed'));
      const timer = setTimeout(() => this.fail(id, 'deadline_exceeded', 'no answer in time', 'unknown'), millis);
      this.pending.set(id, { resolve, reject, timer });
      this.channel.publish('', queue, Buffer.from(JSON.stringify(request)), {
        contentType: 'application/json', correlationId: id, messageId: id, replyTo: this.replyTo, mandatory: true,
        expiration: String(millis), headers: { 'rpc-deadline': Date.now() + millis },
      }, (nack) => nack && this.fail(id, 'unavailable', `the broker refused the request: ${nack.message}`, 'unknown'));
    });
  }

  async close() {
    this.closed = true;
    await this.connection.close();
  }
}

const client = await Client.connect(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  const answer = await client.call(...JSON.parse(line)).then((result) => ({ result }),
    ({ code, message, outcome, details }) => ({ code, message, outcome, details }));
  console.log(JSON.stringify(answer));
}
await client.close();
