// The request: a form and its JSON side by side.

import { h, id } from './dom.js';
import { clone, parse, pretty } from './api.js';
import { Form } from './form.js';
import { fresh } from './schema.js';

// Request edits one message. changed is called with each new value.
export class Request {
  constructor(message, value, changed) {
    this.message = message;
    this.changed = changed;
    this.value = value === undefined ? this.example() : clone(value);
    this.error = h('p', { class: 'wrong', role: 'alert', id: id() });
    this.area = h('textarea', { class: 'code grow', spellcheck: 'false', autocomplete: 'off', id: id(), rows: '8', 'aria-describedby': this.error.id, input: () => this.typed() });
    this.form = new Form(message.schema, (v) => { this.value = v; this.write(); });
    const text = h('div', { class: 'pane' },
      h('div', { class: 'pane-head' }, h('label', { for: this.area.id }, 'JSON'),
        h('button', { type: 'button', class: 'link', click: () => this.reset() }, message.example === undefined ? 'reset' : 'reset to the example')),
      this.area, this.error);
    this.element = message.schema
      ? h('div', { class: 'split' }, h('div', { class: 'pane' }, h('div', { class: 'pane-head' }, h('span', {}, 'Form')), this.form.element), text)
      : h('div', {}, text);
    this.draw();
  }

  example() {
    if (this.message.example !== undefined) return clone(this.message.example);
    return this.message.schema ? fresh(this.message.schema, this.message.schema) : {};
  }

  reset() {
    this.value = this.example();
    this.draw();
    this.changed(this.value);
  }

  draw() {
    this.area.value = pretty(this.value);
    this.fit();
    this.complain('');
    if (this.message.schema) this.form.show(this.value);
  }

  write() {
    this.area.value = pretty(this.value);
    this.fit();
    this.complain('');
    this.changed(this.value);
  }

  fit() {
    this.area.rows = Math.min(24, Math.max(6, this.area.value.split('\n').length + 1));
  }

  typed() {
    try {
      this.value = parse(this.area.value);
    } catch (e) {
      return this.complain(`This is not JSON yet: ${e.message}`);
    }
    this.complain('');
    if (this.message.schema) this.form.show(this.value);
    this.changed(this.value);
  }

  complain(text) {
    this.error.textContent = text;
    this.area.setAttribute('aria-invalid', text === '' ? 'false' : 'true');
    this.form.element.classList.toggle('stale', text !== '');
  }

  // ready returns the request as text. If there is a mistake, it moves the focus there and
  // returns nothing.
  ready() {
    const wrong = this.error.textContent ? this.area : this.message.schema && this.form.invalid();
    if (wrong) return void wrong.focus();
    return JSON.stringify(this.value);
  }

  mark(problems) {
    if (this.message.schema) this.form.mark(problems);
  }
}
