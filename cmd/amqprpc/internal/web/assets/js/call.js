// One call, to one instance or to all: the buttons, the wait, and what came of it.

import { h, replace } from './dom.js';
import { browser, lines, post } from './api.js';
import { Answers } from './all.js';
import { failure, result, timing } from './outcome.js';
import { duration } from './time.js';

// body writes a request for the server of the page. The message is text already, so that its
// numbers stay as they are.
export function body(m, message, options) {
  const { queue, kind, codecs } = m;
  const rest = { queue, kind, codecs, browser, ...options };
  const schema = options.check ? m.request.schema : undefined;
  return JSON.stringify({ ...rest, schema }).slice(0, -1) + (message === undefined ? '}' : `,"request":${message}}`);
}

export class CallPanel {
  // options returns what the person has chosen beside the request, or nothing if it is wrong.
  constructor(m, request, options) {
    Object.assign(this, { m, request, options });
    this.button = h('button', { type: 'button', class: 'primary', click: () => this.toggle() }, 'Call');
    this.all = h('button', { type: 'button', class: 'second', title: 'Call every instance, and show all answers', click: () => this.run(true) }, 'Call all');
    this.controls = [this.button, (m.broadcast || m.foreign) && this.all].filter(Boolean);
    this.view = h('div', { class: 'outcome', 'aria-live': 'polite' }, h('p', { class: 'quiet idle' }, 'No call yet. Change the request if you like, and press Call or Ctrl+Enter.'));
    this.element = h('section', { class: 'card', 'aria-label': 'Response' }, h('div', { class: 'card-head' }, h('h2', {}, 'Response')), this.view);
  }

  toggle() {
    return this.abort ? this.abort.abort() : this.run();
  }

  async run(all = false) {
    const message = this.request.ready();
    const options = this.options();
    if (message === undefined || !options) return;
    const abort = this.abort = new AbortController();
    const answers = all && new Answers();
    const began = performance.now();
    const clock = h('span', {}, '');
    this.button.textContent = 'Cancel';
    this.all.disabled = true;
    replace(this.view, h('p', { class: 'waiting' }, h('span', { class: 'spinner', 'aria-hidden': 'true' }), all ? 'Waiting for the answers ' : 'Waiting for the response ', clock), answers && answers.element);
    const ticks = setInterval(() => { clock.textContent = duration(performance.now() - began); }, 250);
    try {
      const text = body(this.m, message, options);
      if (all) this.showAll(answers, await this.ask(text, answers, abort.signal));
      else this.show(await post('call', text, abort.signal));
    } catch (e) {
      const text = e.name === 'AbortError' ? { code: 'canceled', message: `You have cancelled the call, and its ${all ? 'handlers were' : 'handler was'} told.`, outcome: 'unknown' } : e.failure ?? { code: 'internal', message: e.message };
      replace(this.view, failure(text), answers && answers.element);
    } finally {
      clearInterval(ticks);
      abort.abort(); // answers that cannot be read would hold their handlers
      this.abort = null;
      this.all.disabled = false;
      this.button.textContent = 'Call';
    }
  }

  show(answer) {
    replace(this.view, answer.error ? failure(answer.error) : result(answer.response), timing(answer.timing));
    this.request.mark(answer.error?.problems ?? []);
    if (!answer.error?.problems) this.element.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  }

  // ask calls all instances, and returns the error that has ended the whole call.
  async ask(text, answers, signal) {
    for await (const event of lines('all', text, signal)) {
      if (event.event === 'end') return event.error;
      answers.add(event);
    }
    return { code: 'unavailable', message: 'The program that serves this page has ended the call.' };
  }

  showAll(answers, error) {
    replace(this.view, error && failure(error), answers.count > 0 && answers.element);
    this.request.mark(error?.problems ?? []);
  }

  leave() {
    this.abort?.abort();
  }
}
