// A form for a value, drawn from its JSON Schema. The value is changed in place, so that the
// form and the text beside it always show the same one.

import { h, id, name, replace, visible } from './dom.js';
import { clone, parse, pretty } from './api.js';
import { describe, fits, fresh, hint, list, put, typeOf } from './schema.js';

const maxDepth = 12;
const maxItems = 100;
const maxFields = 1000; // of the whole form; what is beyond is edited as JSON

// Form draws the value that get returns. A change is reported to changed.
export class Form {
  constructor(root, changed) {
    this.root = root ?? {};
    this.changed = changed;
    this.element = h('div', { class: 'form', role: 'group', 'aria-label': 'Request' });
    this.value = null;
    this.problems = new Map();
    this.choices = new Map();
  }

  // show draws a value anew.
  show(value) {
    this.value = value;
    this.redraw();
  }

  // mark shows what is wrong with the value: texts by JSON pointer. A problem of a part is why
  // the whole is wrong, too: only the part is marked.
  mark(problems) {
    this.problems = new Map();
    const inner = problems.filter(({ path }) => !problems.some((p) => p.path.startsWith(path + '/')));
    for (const { path, text } of inner) this.problems.set(path, [...(this.problems.get(path) ?? []), text]);
    this.redraw();
    this.element.querySelector('[aria-invalid=true]')?.focus();
  }

  redraw(focus) {
    this.room = maxFields;
    const place = { path: '', set: (v) => { this.value = v; }, required: true, depth: 0 };
    replace(this.element, this.field(this.root, this.value, place));
    if (focus !== undefined) this.find(focus)?.focus();
  }

  find(path) {
    return [...this.element.querySelectorAll('[data-path]')].find((e) => e.dataset.path === path);
  }

  // invalid returns the first control whose text is no value, so that nothing else is sent
  // than what a person sees.
  invalid() {
    return this.element.querySelector('input:invalid, textarea:invalid');
  }

  // edit changes a value without drawing, because a person is typing.
  edit(place, value) {
    place.set(value);
    this.problems.delete(place.path);
    this.changed(this.value);
  }

  // rebuild changes the shape of a value, and moves the focus to where it went on.
  rebuild(place, value, focus) {
    place.set(value);
    this.problems.clear();
    this.changed(this.value);
    this.redraw(focus ?? place.path);
  }

  // field draws a value in its place: where it is, how to set it, and how to remove it.
  field(schema, value, place) {
    const d = describe(this.root, schema);
    if (place.depth > maxDepth || --this.room < 0) return this.anything(d, value, place);
    if (value === null && d.nullable && d.kind !== 'null') return this.nothing(d, place);
    if (d.kind === 'choice') return this.choice(d, value, place);
    const draw = { object: 'object', map: 'map', array: 'array', boolean: 'toggle', enum: 'options', const: 'constant', string: 'text', integer: 'number', number: 'number' }[d.kind];
    const wanted = { object: 'object', map: 'object', array: 'array', boolean: 'boolean', string: 'string', integer: 'number', number: 'number' }[d.kind];
    if (!draw || (wanted && typeOf(value) !== wanted)) return this.anything(d, value, place);
    return this[draw](d, value, place);
  }

  // row is a label, a control, and what is to be said about them.
  row(d, place, control, note = hint(d.schema)) {
    const label = id(), help = id(), wrong = id();
    const problems = this.problems.get(place.path);
    control.id = label;
    control.setAttribute('data-path', place.path);
    control.setAttribute('aria-describedby', `${help} ${wrong}`);
    if (problems) control.setAttribute('aria-invalid', 'true');
    return h('div', { class: 'field' },
      h('div', { class: 'field-head' },
        h('label', { for: label }, this.title(d, place)),
        h('span', { class: 'type', id: help }, visible(note)),
        this.tools(d, place)),
      control,
      d.schema.description && h('p', { class: 'help' }, visible(d.schema.description)),
      h('p', { class: 'wrong', id: wrong, role: 'alert' }, (problems ?? []).map((t) => visible(t)).join('; ')));
  }

  title(d, place) {
    return visible(place.label ?? d.schema.title ?? 'Request');
  }

  tools(d, place) {
    const what = this.title(d, place);
    return h('span', { class: 'tools' },
      d.nullable && !place.isNull && !place.remove && d.kind !== 'array' && d.kind !== 'map' && h('button', { type: 'button', class: 'link', 'aria-label': `Set ${what} to null`, click: () => this.rebuild(place, null) }, 'null'),
      place.remove && h('button', { type: 'button', class: 'link', 'aria-label': `Remove ${what}`, click: place.remove }, 'remove'));
  }

  group(d, place, ...children) {
    const problems = this.problems.get(place.path);
    const attributes = { class: place.depth === 0 ? 'group top-group' : 'group', 'data-path': place.path, tabindex: '-1', 'aria-invalid': problems ? 'true' : null };
    return h('fieldset', attributes,
      h('legend', { class: place.depth === 0 ? 'unseen' : null }, this.title(d, place)),
      place.depth > 0 && this.tools(d, place),
      d.schema.description && place.depth > 0 && h('p', { class: 'help' }, visible(d.schema.description)),
      problems && h('p', { class: 'wrong', role: 'alert' }, problems.map(visible).join('; ')),
      h('div', { class: 'fields' }, children));
  }

  object(d, value, place) {
    const properties = d.schema.properties ?? {};
    const required = new Set(list(d.schema.required));
    const known = Object.keys(properties).filter((k) => Object.hasOwn(value, k));
    const extra = Object.keys(value).filter((k) => !Object.hasOwn(properties, k));
    const absent = Object.keys(properties).filter((k) => !Object.hasOwn(value, k));
    const child = (key) => ({
      path: `${place.path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, label: key, depth: place.depth + 1,
      set: (v) => put(value, key, v),
      remove: required.has(key) ? null : () => { delete value[key]; this.rebuild(place, value, `+${place.path}/${key}`); },
    });
    const add = (key) => h('button', { type: 'button', class: 'chip', 'data-path': `+${place.path}/${key}`, click: () => {
      put(value, key, fresh(this.root, properties[key]));
      this.rebuild(place, value, child(key).path);
    } }, '+ ', name(key));
    return this.group(d, place,
      [...known, ...extra].slice(0, maxItems).map((key) => this.field(properties[key], value[key], child(key))),
      absent.length > 0 && h('div', { class: 'chips', role: 'group', 'aria-label': 'Add a field' }, absent.slice(0, maxItems).map(add)));
  }

  map(d, value, place) {
    const key = h('input', { type: 'text', 'aria-label': 'New key', placeholder: 'new key', 'data-path': `+${place.path}` });
    const add = () => {
      if (key.value === '' || Object.hasOwn(value, key.value)) return key.focus();
      put(value, key.value, fresh(this.root, d.schema.additionalProperties));
      this.rebuild(place, value, `${place.path}/${key.value}`);
    };
    key.addEventListener('keydown', (e) => { if (e.key === 'Enter' && !e.ctrlKey && !e.metaKey) { e.preventDefault(); add(); } });
    return this.group(d, place,
      Object.keys(value).slice(0, maxItems).map((k) => this.field(d.schema.additionalProperties, value[k], {
        path: `${place.path}/${k}`, label: k, depth: place.depth + 1, set: (v) => put(value, k, v),
        remove: () => { delete value[k]; this.rebuild(place, value, `+${place.path}`); },
      })),
      h('div', { class: 'adder' }, key, h('button', { type: 'button', class: 'chip', click: add }, '+ add')));
  }

  array(d, value, place) {
    const add = h('button', { type: 'button', class: 'chip', 'data-path': `+${place.path}`, click: () => {
      value.push(fresh(this.root, d.schema.items));
      this.rebuild(place, value, `${place.path}/${value.length - 1}`);
    } }, '+ add an item');
    return this.group(d, place,
      value.length === 0 && h('p', { class: 'quiet' }, 'No items.'),
      value.slice(0, maxItems).map((v, i) => this.field(d.schema.items, v, {
        path: `${place.path}/${i}`, label: `${place.label ?? 'item'} ${i + 1}`, depth: place.depth + 1,
        set: (x) => { value[i] = x; },
        remove: () => { value.splice(i, 1); this.rebuild(place, value, `+${place.path}`); },
      })),
      value.length > maxItems && h('p', { class: 'quiet' }, `${value.length - maxItems} more items: see the JSON.`),
      add);
  }

  choice(d, value, place) {
    let at = this.choices.get(place.path) ?? d.choices.findIndex((c) => fits(this.root, c, value));
    if (at < 0 || at >= d.choices.length) at = 0;
    const select = h('select', { change: () => {
      this.choices.set(place.path, select.selectedIndex);
      this.rebuild(place, fresh(this.root, d.choices[select.selectedIndex]), `?${place.path}`);
    } }, d.choices.map((c, i) => h('option', { selected: i === at }, visible(c.title ?? `${describe(this.root, c).kind} (${i + 1})`))));
    const picker = this.row(d, { ...place, path: `?${place.path}` }, select, 'one of');
    return h('div', {}, picker, this.field(d.choices[at], value, { ...place, depth: place.depth + 1, remove: null, label: place.label ?? 'value' }));
  }

  nothing(d, place) {
    const set = h('button', { type: 'button', class: 'chip', click: () => this.rebuild(place, fresh(this.root, { ...d.schema, anyOf: undefined, oneOf: undefined, default: undefined, type: [].concat(d.schema.type ?? []).filter((t) => t !== 'null') })) }, 'null: set a value');
    return this.row(d, { ...place, isNull: true }, set);
  }

  toggle(d, value, place) {
    const box = h('input', { type: 'checkbox', class: 'toggle', checked: value, change: () => this.edit(place, box.checked) });
    return this.row(d, place, box, '');
  }

  options(d, value, place) {
    const texts = d.schema.enum.map((e) => JSON.stringify(e));
    const at = texts.indexOf(JSON.stringify(value));
    const select = h('select', { change: () => this.edit(place, clone(d.schema.enum[select.selectedIndex - (at < 0 ? 1 : 0)])) },
      at < 0 && h('option', { selected: true, disabled: true }, visible(JSON.stringify(value))),
      d.schema.enum.map((e, i) => h('option', { selected: i === at }, visible(typeof e === 'string' ? e : texts[i]))));
    return this.row(d, place, select, 'one of ' + d.schema.enum.length);
  }

  constant(d, value, place) {
    return this.row(d, place, h('input', { type: 'text', readonly: true, value: visible(typeof value === 'string' ? value : JSON.stringify(value)) }), 'always this');
  }

  text(d, value, place) {
    const long = value.length > 80 || value.includes('\n') || d.schema.maxLength > 400;
    const input = long ? h('textarea', { rows: '4', spellcheck: 'false' }) : h('input', { type: d.schema.format === 'date' ? 'date' : 'text', autocomplete: 'off', spellcheck: 'false', placeholder: d.schema.format === 'date-time' ? '2026-01-31T12:00:00Z' : null });
    input.value = value;
    input.addEventListener('input', () => this.edit(place, input.value));
    return this.row(d, place, input);
  }

  number(d, value, place) {
    const pattern = d.kind === 'integer' ? /^-?\d+$/ : /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;
    const input = h('input', { type: 'text', inputmode: d.kind === 'integer' ? 'numeric' : 'decimal', autocomplete: 'off', value: JSON.stringify(value) });
    input.addEventListener('input', () => this.typed(input, place, pattern.test(input.value), `This is no ${d.kind}.`));
    return this.row(d, place, input);
  }

  // anything is edited as JSON.
  anything(d, value, place) {
    const area = h('textarea', { rows: '3', spellcheck: 'false', class: 'code' });
    area.value = pretty(value) ?? 'null';
    area.addEventListener('input', () => this.typed(area, place, true, 'This is no JSON.'));
    return this.row(d, place, area, 'JSON');
  }

  // typed takes what a person has typed if it is JSON, and else says why not.
  typed(input, place, allowed, complaint) {
    const wrong = input.closest('.field').querySelector('.wrong');
    let value;
    try {
      if (!allowed) throw new SyntaxError(complaint);
      value = parse(input.value);
    } catch {
      input.setAttribute('aria-invalid', 'true');
      input.setCustomValidity(complaint);
      wrong.textContent = complaint;
      return;
    }
    input.removeAttribute('aria-invalid');
    input.setCustomValidity('');
    wrong.textContent = '';
    this.edit(place, value);
  }
}
