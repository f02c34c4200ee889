// A core client of docs/protocol.md. It needs amqplib. A line of input is a call: ["queue", request, seconds].
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const amqp = createRequire(import.meta.url)('amqplib'); // which looks in NODE_PATH, as import does not

const codes = new Set(('canceled unknown invalid_argument deadline_exceeded not_found already_exists permission_denied '
  + 'resource_exhausted failed_precondition aborted out_of_range unimplemented internal unavailable data_loss '
  + 'unauthenticated').split(' '));
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class CallError extends Error {
  constructor(code, message, outcome, details) { // any of them may come from a server, and be anything
    super(typeof message === 'string' ? message : 'the error has no message');
    this.code = codes.has(code) ? code : 'unknown';
    this.outcome = ['executed', 'not-executed'].includes(outcome) ? outcome : 'unknown';
    this.details = Array.isArray(details) ? details.filter((d) => typeof d?.name === 'string') : [];
  }
}

function encode(queue, request) {
  if (!queue || Buffer.byteLength(queue) > 255 || !queue.isWellFormed() || queue.startsWith('amq.rabbitmq.reply-to')) throw new Error('no such name');
  return Buffer.from(JSON.stringify(request, (key, v) => { // which would make null of NaN, and keep half of a surrogate pair
    if (!key.isWellFormed() || v?.isWellFormed?.() === false || (typeof v === 'number' && !Number.isFinite(v))) throw new Error(`not JSON: ${key}`);
    return v;
  }));
}

export class Client {
  pending = new Map();

  async open(url) {
    const connection = await amqp.connect(url);
    connection.on('error', () => {}); // 'close' follows
    connection.on('close', () => this.lost(url));
    const channel = await connection.createConfirmChannel();
    const end = () => connection.close().catch(() => {});
    channel.on('error', () => {}).on('close', end);
    channel.on('return', (m) => this.fail(m.properties.correlationId, 'unavailable', 'there is no such queue', 'not-executed'));
    this.replyTo = (await channel.assertQueue('', { exclusive: true, durable: false })).queue;
    await channel.consume(this.replyTo, (m) => (m ? this.reply(m) : end()), { noAck: true }); // null: the broker cancelled it
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
    const { headers = {}, correlationId: id, contentType, contentEncoding } = properties;
    let body, readable = (contentType || 'application/json').split(';')[0].trim().toLowerCase() === 'application/json'
      && /^(|utf-8|us-ascii|binary|identity)$/i.test(contentEncoding ?? '');
    try { body = JSON.parse(utf8.decode(content)); } catch { readable = false; }
    if ('rpc-code' in headers) this.fail(id, headers['rpc-code'], body?.message, headers['rpc-outcome'], body?.details);
    else if (!readable) this.fail(id, 'internal', 'the reply does not decode', 'executed');
    else this.take(id)?.resolve(body);
  }

  call(queue, request, seconds = 30) {
    return new Promise((resolve, reject) => {
      const refuse = (code, message) => reject(new CallError(code, message, 'not-executed'));
      const id = crypto.randomUUID(), millis = Math.min(Math.ceil(seconds * 1000), 2 ** 31 - 1); // for more a timer fires at once
      let content;
      try { content = encode(queue, request); } catch (e) { return refuse('invalid_argument', e.message); }
      if (!(millis > 0)) return refuse('deadline_exceeded', 'the deadline has passed');
      if (!this.channel) return refuse('unavailable', 'not connected');
      const timer = setTimeout(() => this.fail(id, 'deadline_exceeded', 'no answer in time', 'unknown'), millis);
      this.pending.set(id, { resolve, reject, timer });
      try {
        this.channel.publish('', queue, content, {
          contentType: 'application/json', correlationId: id, messageId: id, replyTo: this.replyTo, mandatory: true,
          expiration: String(millis), headers: { 'rpc-deadline': Date.now() + millis },
        }, (nack) => nack && this.fail(id, 'unavailable', `the broker refused the request: ${nack.message}`, 'unknown'));
      } catch (e) { this.fail(id, 'unavailable', e.message, 'not-executed'); } // the channel is closed already
    });
  }

  async close() { this.closed = true; await this.connection.close(); }
}

const client = new Client();
await client.open(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  const answer = await client.call(...JSON.parse(line)).then((result) => ({ result }),
    ({ code, message, outcome, details }) => ({ code, message, outcome, details }));
  console.log(JSON.stringify(answer));
}
await client.close();
