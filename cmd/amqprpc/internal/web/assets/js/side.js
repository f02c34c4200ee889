// The list of services and methods.

import { h, id, name, replace, visible, word } from './dom.js';
import { plural } from './time.js';

const kinds = { unary: ['call', 'one request, one response'], server_stream: ['stream ↓', 'one request, many responses'], client_stream: ['stream ↑', 'many requests, one response'], bidi_stream: ['stream ↕', 'many requests, many responses'] };

// kind returns the label of a method's kind, and its meaning.
export const kind = (m) => word(kinds, m.kind) ?? [visible(m.kind), ''];

export const link = (queue) => '#/m/' + encodeURIComponent(queue);

const maxShown = 300;

// Side lists what runs, and filters it.
export class Side {
  constructor(element) {
    this.query = h('input', { type: 'search', placeholder: 'Find a method', 'aria-label': 'Find a method', id: id(), input: () => this.draw(), keydown: (e) => this.open(e) });
    this.list = h('div', { class: 'side-list' });
    this.other = h('input', { type: 'text', placeholder: 'name of a queue', 'aria-label': 'Name of another queue', autocomplete: 'off', spellcheck: 'false' });
    const form = h('form', { class: 'other', submit: (e) => { e.preventDefault(); if (this.other.value) location.hash = link(this.other.value); } },
      h('span', { class: 'quiet' }, 'A queue that is not listed:'), h('div', { class: 'adder' }, this.other, h('button', { class: 'chip' }, 'Open')));
    replace(element, h('div', { class: 'side-find' }, this.query), this.list, form);
    this.catalog = { services: [], methods: [] };
    this.current = null;
  }

  show(catalog, current) {
    this.catalog = catalog;
    this.current = current;
    this.draw();
  }

  open(event) {
    const first = this.list.querySelector('a.method');
    if (event.key === 'Enter' && first) location.hash = first.hash;
  }

  draw() {
    const wanted = this.query.value.trim().toLowerCase();
    const methods = new Map(this.catalog.methods.map((m) => [m.queue, m]));
    let room = maxShown;
    const groups = this.catalog.services.map((s) => {
      const mine = s.methods.filter((q) => methods.has(q) && (!wanted || q.toLowerCase().includes(wanted) || s.name.toLowerCase().includes(wanted)));
      const shown = mine.slice(0, Math.max(room, 0));
      room -= shown.length;
      if (mine.length === 0 && wanted) return null;
      return h('section', { class: 'side-group' },
        h('h2', {}, name(s.name), h('span', { class: 'quiet' }, plural(s.count, 'instance'))),
        h('ul', {}, shown.map((q) => this.item(methods.get(q)))),
        shown.length < mine.length && h('p', { class: 'quiet pad-s' }, `${mine.length - shown.length} more: find them by name.`));
    });
    const nothing = wanted && groups.every((g) => g === null) && h('p', { class: 'quiet pad-s', role: 'status' }, 'No method has this name.');
    const top = h('a', { class: 'method overview', href: '#/', 'aria-current': this.current === null ? 'page' : null }, 'Overview');
    const focused = this.list.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
    replace(this.list, !wanted && top, groups, nothing);
    if (focused) [...this.list.querySelectorAll('a')].find((a) => a.getAttribute('href') === focused)?.focus();
  }

  item(m) {
    const [label, title] = kind(m);
    return h('li', {}, h('a', { class: 'method', href: link(m.queue), 'aria-current': m.queue === this.current ? 'page' : null },
      name(m.queue), m.kind !== 'unary' && h('span', { class: 'kind', title }, label), m.differs && h('span', { class: 'kind warn', title: 'its instances describe it differently' }, 'differs')));
  }
}
