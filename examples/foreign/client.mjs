// A core client of docs/protocol.md, for Node 20.11 or later. Its calls wait for a connection until their deadline.
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
const amqp = createRequire(import.meta.url)('amqplib');
const CODES = `canceled unknown invalid_argument deadline_exceeded not_found already_exists permission_denied aborted
  resource_exhausted failed_precondition out_of_range unimplemented internal unavailable data_loss unauthenticated`;
const PLAIN = /^(utf-8|us-ascii|binary|identity)?$/i, JSON_TYPE = /^$|^\s*application\/json\s*(;|$)/i;
const QUEUE = /^(?!amq\.rabbitmq\.reply-to)[^\0-\x1f\x7f-\x9f]+$/;
const isQueue = (s) => typeof s === 'string' && s.isWellFormed() && Buffer.byteLength(s) <= 255 && QUEUE.test(s);
const check = (key, value) => { // JSON.stringify would send null or "\ud800" for these
  const bad = typeof value === 'number' ? !Number.isFinite(value) : typeof value === 'string' && !value.isWellFormed();
  if (bad || !key.isWellFormed()) throw new TypeError('NaN, infinities and halves of surrogate pairs are not JSON');
  return value;
};
export class CallError extends Error { // any part may come from a server, and be anything
  constructor(code, message, outcome, details) {
    super(typeof message === 'string' ? message : 'the body of the error is no JSON object with a message');
    this.code = CODES.split(/\s+/).includes(code) ? code : 'unknown';
    this.outcome = ['executed', 'not-executed'].includes(outcome) ? outcome : 'unknown';
    this.details = (Array.isArray(details) ? details : []).filter((detail) => typeof detail?.name === 'string')
      .map(({ name, value = null }) => ({ name, value }));
  }
}

export class Client {
  ignored = 0; // replies that no call waited for
  #calls = new Map(); // by correlation_id: the calls that have not ended
  #connection; #publish; #running; #closed; #abort = new AbortController(); // which ends sockets and pauses
  constructor(url) { this.#running = this.#run(new URL(url).href); }
  call(queue, request = {}, seconds = 30) {
    const call = { id: crypto.randomUUID(), queue, outcome: 'not-executed' }; // the outcome if it fails now
    const answer = new Promise((resolve, reject) => {
      const fail = (code, why, outcome = call.outcome, details) => reject(new CallError(code, why, outcome, details));
      if (!isQueue(queue)) return fail('invalid_argument', 'no queue can have that name');
      if (typeof seconds !== 'number' || isNaN(seconds)) return fail('invalid_argument', 'the seconds are no number');
      try { call.body = Buffer.from(JSON.stringify(request, check)); }
      catch (e) { return fail('invalid_argument', e.message); }
      const ms = Math.min(seconds * 1000, 2 ** 31 - 1); // setTimeout takes no more
      call.timer = setTimeout(fail, ms, 'deadline_exceeded', 'no answer came in time');
      this.#calls.set(call.id, Object.assign(call, { resolve, fail, end: performance.now() + ms }));
      try { this.#closed ? fail('canceled', 'the client is closed') : this.#publish?.(call); } catch {} // see lost
    });
    answer.catch(() => {}).finally(() => clearTimeout(call.timer) ?? this.#calls.delete(call.id)); // never unhandled
    return answer;
  }
  async close() {
    this.#closed = true;
    this.#calls.forEach((call) => call.fail('canceled', 'the client was closed'));
    await Promise.race([this.#connection?.close(), delay(1000, null, this.#abort)]).catch(() => {});
    this.#abort.abort();
    await this.#running;
  }
  #read({ properties: { correlationId, contentType = '', contentEncoding = '', headers: h = {} }, content }) {
    const call = this.#calls.get(correlationId);
    if (!call) return this.ignored++;
    let body, trouble = PLAIN.test(contentEncoding) && JSON_TYPE.test(contentType) ? '' : 'the format is unknown';
    try { body = JSON.parse(content, check); } catch (e) { trouble ||= e.message; }
    if ('rpc-code' in h) return call.fail(h['rpc-code'], body?.message, h['rpc-outcome'], body?.details);
    return trouble ? call.fail('internal', `the result does not decode: ${trouble}`, 'executed') : call.resolve(body);
  }
  async #run(url) {
    for (; !this.#closed; await delay(200, null, this.#abort).catch(() => {})) {
      this.#abort.abort(); this.#abort = new AbortController(); // ends what the last connection left
      try {
        const connection = this.#connection = await amqp.connect(url, { signal: this.#abort.signal, timeout: 10_000 });
        const channel = await connection.on('error', () => {}).createConfirmChannel();
        const lost = new Promise((done) => ['error', 'close', 'cancelled'].forEach((event) => channel.on(event, done)));
        channel.on('return', ({ properties: { correlationId } }) =>
          this.#calls.get(correlationId)?.fail('unavailable', 'there is no such queue', 'not-executed'));
        const { queue: replyTo } = await channel.assertQueue('', { exclusive: true });
        await channel.consume(replyTo, (m) => (m ? this.#read(m) : channel.emit('cancelled')), { noAck: true });
        this.#publish = (call) => {
          const left = Math.ceil(call.end - performance.now());
          if (left < 1) return call.fail('deadline_exceeded', 'the deadline passed before the request was published');
          const properties = { mandatory: true, replyTo, contentType: 'application/json', expiration: left,
            correlationId: call.id, messageId: call.id, headers: { 'rpc-deadline': Date.now() + left } };
          channel.publish('', call.queue, call.body, properties, (e) => e && call.fail('unavailable', e.message));
          call.outcome = 'unknown';
        };
        this.#calls.forEach((call) => this.#publish(call));
        await lost; // until here, #publish may throw: then the next channel publishes the call
      } catch {} // why is no matter: it tries again
      this.#calls.forEach((call) => call.outcome === 'unknown' && call.fail('unavailable', 'the connection was lost'));
      this.#connection?.close().catch(() => {});
    }
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === import.meta.filename) {
  const client = new Client(process.argv[2]);
  for await (const line of createInterface({ input: process.stdin })) {
    const args = await Promise.resolve(line).then(JSON.parse).catch(() => []);
    const answer = client.call(...[args].flat()).then((result) => ({ result }), (e) => ({ ...e, message: e.message }));
    console.log(JSON.stringify(await answer));
  }
  await client.close();
}
