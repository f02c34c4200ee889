// The page of one method.

import { h, id, name, replace, visible, word } from './dom.js';
import { kind } from './side.js';
import { Request } from './request.js';
import { CallPanel } from './call.js';
import { StreamPanel } from './stream.js';
import { Snippets } from './snippets.js';
import { chart } from './charts.js';
import { lately } from './meter.js';
import { block } from './json.js';
import { ago, count, digits, duration, plural, rate } from './time.js';

const maxSeconds = 600; // the server of the page takes no more

// foreign describes a queue of which nothing is known.
export const foreign = (queue) => ({ queue, kind: 'unary', foreign: true, request: {}, response: {}, services: [], errors: [] });

export class MethodPage {
  constructor(m, catalog, meter, drafts) {
    Object.assign(this, { m, meter, drafts });
    this.snippets = new Snippets(m);
    this.request = new Request(m.request, drafts.get(m.queue), (v) => this.changed(v));
    this.panel = new (m.kind === 'unary' ? CallPanel : StreamPanel)(m, this.request, () => this.options());
    this.charts = h('div', { class: 'charts' });
    this.figures = h('dl', { class: 'figures' });
    this.failures = h('div', {});
    this.gone = h('p', { class: 'notice-line', role: 'status', hidden: true });
    this.element = h('div', { class: 'page', keydown: (e) => this.key(e) },
      this.head(), this.composer(catalog), this.panel.element, this.snippets.element, !m.foreign && this.behaviour(), !m.foreign && this.about());
    this.snippets.show(this.request.value);
    this.update();
  }

  head() {
    const { m } = this;
    const [label, title] = kind(m);
    return h('header', { class: 'page-head' },
      h('p', { class: 'crumb' }, h('a', { href: '#/' }, 'Overview'), m.services.map((s) => [' / ', name(s)])),
      h('h1', { class: 'queue' }, name(m.queue)),
      h('p', { class: 'tags' }, h('span', { class: 'tag', title }, label), title && h('span', { class: 'quiet' }, title), m.differs && h('span', { class: 'tag warn' }, 'instances differ')),
      m.doc && h('p', { class: 'lead' }, visible(m.doc)),
      m.differs && h('p', { class: 'notice-line' }, 'The instances of this method describe it differently: another version may be running. The description of most of them is shown.'),
      m.oversized && h('p', { class: 'notice-line' }, 'A schema or an example of this method is too large for this page, or cannot be read. Write the request as JSON.'),
      m.foreign && h('p', { class: 'notice-line' }, 'No server describes this queue. You can call it all the same: write the request as JSON.'),
      this.gone);
  }

  // setGone tells whether no server describes the method any more.
  setGone(gone) {
    this.gone.hidden = !gone;
    this.gone.textContent = gone ? 'No server describes this method at the moment. A call waits in its queue, or fails if the queue is gone.' : '';
  }

  composer(catalog) {
    const { m } = this;
    const services = new Set(m.services);
    const ids = catalog.services.filter((s) => services.has(s.name)).flatMap((s) => s.instances.map((i) => ({ ...i, service: s.name })));
    this.instance = h('select', { id: id(), change: () => this.snippets.show(this.request.value, this.instance.value) },
      h('option', { value: '' }, 'any instance'), ids.map((i) => h('option', { value: i.id }, visible(`${i.id}${i.version ? ` (${i.version})` : ''}`))));
    this.wrongTimeout = h('p', { class: 'wrong', role: 'alert', id: id() });
    this.timeout = h('input', { id: id(), type: 'text', inputmode: 'decimal', class: 'short', placeholder: m.kind === 'unary' ? '30' : 'none', autocomplete: 'off', 'aria-describedby': this.wrongTimeout.id, input: () => this.seconds() });
    this.check = h('input', { id: id(), type: 'checkbox', checked: true });
    const option = (label, control) => h('span', { class: 'option' }, h('label', { for: control.id }, label), control);
    return h('section', { class: 'card', 'aria-label': 'Request' },
      h('div', { class: 'card-head' }, h('h2', {}, m.kind === 'client_stream' || m.kind === 'bidi_stream' ? 'Message to send' : 'Request')),
      this.request.element,
      h('div', { class: 'actions' }, this.panel.controls, h('span', { class: 'key-hint' }, h('kbd', {}, 'Ctrl'), ' ', h('kbd', {}, 'Enter')),
        h('span', { class: 'options' },
          m.kind === 'unary' && ids.length > 1 && option('To', this.instance),
          option('Timeout in s', this.timeout),
          m.request.schema && option('Check first', this.check)),
        this.wrongTimeout));
  }

  // options returns what is chosen beside the request. If the timeout is wrong, it moves the focus
  // there and returns nothing.
  options() {
    const seconds = this.seconds();
    if (seconds === null) return void this.timeout.focus();
    return { instance: this.instance.value || undefined, timeout_ms: seconds && Math.round(seconds * 1000), check: this.check.checked };
  }

  // seconds returns the timeout, undefined if none is chosen, or null if it is wrong. It says so.
  seconds() {
    const text = this.timeout.value.trim();
    const seconds = text === '' ? undefined : Number(text);
    const right = seconds === undefined || (seconds >= 0.001 && seconds <= maxSeconds);
    this.wrongTimeout.textContent = right ? '' : `Write the timeout in seconds, for example 2.5. It is at most ${maxSeconds}. Without a timeout, ${this.m.kind === 'unary' ? 'a call takes at most 30 s' : 'a stream has no limit'}.`;
    this.timeout.setAttribute('aria-invalid', right ? 'false' : 'true');
    return right ? seconds : null;
  }

  changed(value) {
    this.drafts.set(this.m.queue, value);
    this.snippets.show(value);
  }

  key(event) {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (this.m.kind !== 'unary') this.panel.toggle();
    else if (!this.panel.abort) this.panel.run();
  }

  behaviour() {
    return h('section', { class: 'card', 'aria-label': 'How it does' },
      h('div', { class: 'card-head' }, h('h2', {}, 'How it does'), h('span', { class: 'quiet' }, 'Times are of all calls since the instances began. The charts show each second.')), this.figures, this.charts, this.failures);
  }

  about() {
    const { m } = this;
    const facts = [
      ['Delivery', word({ at_least_once: 'at least once', at_most_once: 'at most once' }, m.delivery) ?? m.delivery],
      ['Content types', (m.codecs ?? []).join(', ')],
      ['Handlers at once', m.concurrency || null], ['Streams at once', m.max_streams || null], ['Prefetch', m.prefetch || null],
      ['Deliveries at most', m.max_deliveries || null], ['Handler timeout', m.timeout_ms ? duration(m.timeout_ms) : null],
      ['Broadcasts', m.broadcast ? 'yes' : null], ['Request', m.request.type], ['Response', m.response.type], ['Described by', plural(m.count, 'instance')],
    ].filter(([, v]) => v);
    const schema = (title, value) => value !== undefined && h('details', {}, h('summary', {}, title), block(value, title));
    return h('section', { class: 'card', 'aria-label': 'Contract' },
      h('div', { class: 'card-head' }, h('h2', {}, 'Contract')),
      h('dl', { class: 'facts' }, facts.map(([k, v]) => h('div', {}, h('dt', {}, k), h('dd', {}, visible(v))))),
      m.errors?.length > 0 && h('div', {}, h('h3', {}, 'Errors'), h('ul', { class: 'codes' }, m.errors.map((e) => h('li', {}, h('span', { class: 'badge bad' }, visible(e.code)), schema('schema of its details', e.details))))),
      schema('Schema of a request', m.request.schema), schema('Schema of a response', m.response.schema), schema('Example of a response', m.response.example));
  }

  // update shows new statistics.
  update() {
    if (this.m.foreign) return;
    const s = this.meter.of(this.m.queue);
    const l = lately(s);
    const figure = (title, value, bad) => h('div', {}, h('dt', {}, title), h('dd', { class: bad ? 'bad-text' : null }, value));
    replace(this.figures,
      figure('calls/s', rate(l.rate)), figure('errors/s', rate(l.errors), l.errors > 0), figure('in flight', digits(l.inFlight)), figure('waiting', digits(l.waiting)),
      figure('p50', duration(s?.p50)), figure('p99', duration(s?.p99)), figure('p99.9', duration(s?.p999)), figure('queue p99', duration(s?.queued_p99)));
    const samples = s?.samples ?? [];
    replace(this.charts,
      chart('Calls per second', [{ cls: 'ok', title: 'ok', values: samples.map((x) => x.ok), area: true }, { cls: 'err', title: 'errors', values: samples.map((x) => x.errors) }], (v) => rate(v ?? 0)),
      chart('Handler time', [{ cls: 'slow', title: 'p99', values: samples.map((x) => x.p99), area: true }, { cls: 'ok', title: 'p50', values: samples.map((x) => x.p50) }], duration));
    this.showFailures(s);
  }

  showFailures(s) {
    const text = JSON.stringify(s?.failures ?? []);
    if (text === this.failureText) return;
    this.failureText = text;
    const last = s?.failures ?? [];
    replace(this.failures, last.length > 0 && [h('h3', {}, 'Last errors'), h('ul', { class: 'failures' }, last.map((f) => h('li', {},
      h('span', { class: 'badge bad' }, visible(f.code)), h('span', { class: 'failure-text' }, visible(f.message)), h('span', { class: 'quiet' }, `${count(f.count)} ×, ${ago(f.last)}`))))]);
  }

  leave() {
    this.panel.leave();
  }
}
