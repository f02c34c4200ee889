// One call: the button, the wait, and what came of it.

import { h, replace } from './dom.js';
import { post } from './api.js';
import { failure, result, timing } from './outcome.js';
import { duration } from './time.js';

// body writes a request for the server of the page. The message is text already, so that its
// numbers stay as they are.
export function body(m, message, options) {
  const { queue, kind, codecs } = m;
  const rest = { queue, kind, codecs, ...options };
  const schema = options.check ? m.request.schema : undefined;
  return JSON.stringify({ ...rest, schema }).slice(0, -1) + (message === undefined ? '}' : `,"request":${message}}`);
}

export class CallPanel {
  // options returns what the person has chosen beside the request.
  constructor(m, request, options) {
    Object.assign(this, { m, request, options });
    this.button = h('button', { type: 'button', class: 'primary', click: () => this.toggle() }, 'Call');
    this.view = h('div', { class: 'outcome', 'aria-live': 'polite' }, h('p', { class: 'quiet idle' }, 'No call yet. Change the request if you like, and press Call or Ctrl+Enter.'));
    this.element = h('section', { class: 'card', 'aria-label': 'Response' }, h('div', { class: 'card-head' }, h('h2', {}, 'Response')), this.view);
  }

  toggle() {
    return this.abort ? this.abort.abort() : this.run();
  }

  async run() {
    const message = this.request.ready();
    if (message === undefined) return;
    const abort = this.abort = new AbortController();
    const began = performance.now();
    const clock = h('span', {}, '');
    this.button.textContent = 'Cancel';
    replace(this.view, h('p', { class: 'waiting' }, h('span', { class: 'spinner', 'aria-hidden': 'true' }), 'Waiting for the response ', clock));
    const ticks = setInterval(() => { clock.textContent = duration(performance.now() - began); }, 250);
    try {
      const answer = await post('call', body(this.m, message, this.options()), abort.signal);
      this.show(answer);
    } catch (e) {
      const text = e.name === 'AbortError' ? { code: 'canceled', message: 'You have cancelled the call, and its handler was told.', outcome: 'unknown' } : e.failure ?? { code: 'internal', message: e.message };
      replace(this.view, failure(text));
    } finally {
      clearInterval(ticks);
      this.abort = null;
      this.button.textContent = 'Call';
    }
  }

  show(answer) {
    replace(this.view, answer.error ? failure(answer.error) : result(answer.response), timing(answer.timing));
    this.request.mark(answer.error?.problems ?? []);
    if (!answer.error?.problems) this.element.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  }

  leave() {
    this.abort?.abort();
  }
}
