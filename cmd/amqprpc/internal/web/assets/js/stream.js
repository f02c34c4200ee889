// One stream: what comes, as it comes, and what is sent.

import { h, replace } from './dom.js';
import { lines, post } from './api.js';
import { body } from './call.js';
import { line } from './json.js';
import { failure, result } from './outcome.js';
import { count, digits, plural } from './time.js';

const maxKept = 500; // messages
const maxChars = 1_000_000; // of all messages that are kept

export class StreamPanel {
  constructor(m, request, options) {
    Object.assign(this, { m, request, options, sends: m.kind !== 'server_stream', receives: m.kind !== 'client_stream' });
    const button = (text, cls, click) => h('button', { type: 'button', class: cls, click }, text);
    this.button = button('Start', 'primary', () => (this.abort ? this.stop() : this.start()));
    this.pause = button('Pause', 'second', () => this.setPaused(!this.paused));
    this.send = button('Send', 'second', () => this.sendOne());
    this.finish = button('Finish', 'second', () => this.sendEnd());
    this.state = h('p', { class: 'stream-state', role: 'status' });
    this.figures = h('p', { class: 'stream-figures quiet' });
    this.list = h('ol', { class: 'messages', tabindex: '0', role: 'log', 'aria-live': 'off', 'aria-label': 'Messages' });
    this.end = h('div', { class: 'outcome', 'aria-live': 'polite' });
    this.controls = [this.button, this.sends && this.send, this.sends && this.finish, this.receives && this.pause].filter(Boolean);
    this.element = h('section', { class: 'card', 'aria-label': 'Stream' },
      h('div', { class: 'card-head' }, h('h2', {}, 'Stream'), this.state, this.figures), this.receives && this.list, this.end);
    this.reset();
    this.enable();
    this.say(this.sends ? 'Not open. Press Start to open it, then send messages.' : 'Not open. Press Start or Ctrl+Enter.');
  }

  reset() {
    Object.assign(this, { stream: null, paused: false, received: 0, sent: 0, kept: 0, chars: 0, queue: [], queued: 0 });
    replace(this.list);
    replace(this.end);
    replace(this.figures);
    this.list.hidden = true;
  }

  enable() {
    const open = this.stream !== null;
    this.button.textContent = this.abort ? 'Stop' : 'Start';
    const main = open && this.sends && !this.ended ? this.send : this.button; // Stop is not what a person wants first
    this.button.className = main === this.button ? 'primary' : 'second';
    this.send.className = main === this.send ? 'primary' : 'second';
    this.pause.disabled = !open;
    this.pause.textContent = this.paused ? 'Resume' : 'Pause';
    this.pause.setAttribute('aria-pressed', String(this.paused));
    this.send.disabled = this.finish.disabled = !open || this.ended;
  }

  say(text) {
    if (this.state.textContent !== text) this.state.textContent = text;
  }

  // toggle is the key: it starts a stream, or sends the next message.
  toggle() {
    if (!this.abort) return this.start();
    if (this.sends && !this.send.disabled) return this.sendOne();
  }

  async start() {
    const message = this.sends ? undefined : this.request.ready();
    const options = this.options();
    if ((!this.sends && message === undefined) || !options) return;
    const abort = this.abort = new AbortController();
    this.reset();
    this.ended = false;
    this.say('Opening …');
    this.enable();
    try {
      for await (const event of lines('stream', body(this.m, message, options), abort.signal)) this.take(event);
    } catch (e) {
      this.flush();
      if (e.name === 'AbortError') this.say('You have stopped the stream, and its handler was told.');
      else this.close(e.failure ?? { code: 'unavailable', message: e.message });
    } finally {
      if (this.stream !== null && !abort.signal.aborted) this.close({ code: 'unavailable', message: 'The program that serves this page has ended the stream.' });
      abort.abort(); // an answer that cannot be read would hold its handler
      this.stream = null;
      this.abort = null;
      this.enable();
    }
  }

  stop() {
    this.abort.abort();
  }

  take(event) {
    switch (event.event) {
      case 'open':
        this.stream = event.stream;
        this.say('Open');
        this.enable();
        break;
      case 'message':
        this.received = event.received;
        this.keep(event);
        this.frame ??= requestAnimationFrame(() => this.flush());
        break;
      case 'result':
        this.append(result(event.message));
        break;
      case 'end':
        this.flush();
        this.stream = null;
        this.close(event.error);
        if (event.error?.problems) this.request.mark(event.error.problems);
    }
  }

  // keep queues a message. A hidden tab shows nothing, so that the queue is bounded as the list is.
  keep(event) {
    event.size = JSON.stringify(event.message).length;
    this.queue.push(event);
    this.queued += event.size;
    while (this.queue.length > 1 && (this.queue.length > maxKept || this.queued > maxChars)) this.queued -= this.queue.shift().size;
  }

  append(...children) {
    this.end.append(...children);
  }

  close(error) {
    this.say(error ? 'Ended with an error' : 'Ended');
    if (error) this.append(failure(error));
  }

  // flush shows what has come, and forgets the oldest.
  flush() {
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    const { list } = this;
    const follow = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    this.queued = 0;
    for (const event of this.queue.splice(0)) {
      const text = line(event.message);
      const item = h('li', {}, h('span', { class: 'at' }, `${digits(event.ms / 1000)} s`), h('code', {}, text));
      item.size = event.size;
      list.append(item);
      this.kept++;
      this.chars += item.size;
    }
    while (this.kept > 1 && (this.kept > maxKept || this.chars > maxChars)) {
      this.chars -= list.firstChild.size;
      this.kept--;
      list.firstChild.remove();
    }
    list.hidden = this.kept === 0;
    if (follow) list.scrollTop = list.scrollHeight;
    this.figure();
  }

  figure() {
    const older = this.received - this.kept;
    replace(this.figures, this.sends && `${count(this.sent)} sent`, this.sends && this.receives && ' · ',
      this.receives && `${count(this.received)} received`, older > 0 && `, of which the last ${count(this.kept)} are kept`);
  }

  // setPaused tells the server of the page to read no more, so that the sender waits.
  async setPaused(paused) {
    const { stream } = this;
    try {
      await post('stream/pause', JSON.stringify({ stream, paused }));
    } catch (e) {
      if (this.stream === stream) this.say(e.message);
      return;
    }
    if (this.stream !== stream) return;
    this.paused = paused;
    this.say(paused ? 'Paused. The sender waits as soon as its window is full.' : 'Open');
    this.enable();
  }

  async sendOne() {
    const message = this.request.ready();
    if (message === undefined) return;
    await this.about('send', `{"stream":${JSON.stringify(this.stream)},"message":${message}}`, () => {
      this.sent++;
      this.say(`Sent ${plural(this.sent, 'message')}`);
    });
  }

  async sendEnd() {
    await this.about('finish', JSON.stringify({ stream: this.stream }), () => {
      this.ended = true;
      this.say('Everything is sent');
      this.enable();
    });
  }

  // about sends a request about the stream. The stream may have ended before the answer.
  async about(what, text, then) {
    const { stream } = this;
    try {
      const { error } = await post('stream/' + what, text);
      if (this.stream !== stream) return;
      this.request.mark(error?.problems ?? []);
      if (error) replace(this.end, failure(error));
      else { replace(this.end); then(); }
    } catch (e) {
      if (this.stream !== stream) return; // why it has ended is shown already
      replace(this.end, failure(e.failure ?? { code: 'internal', message: e.message }));
    }
    this.figure();
  }

  leave() {
    this.abort?.abort();
  }
}
