// JSON as a person reads it.

import { h, visible } from './dom.js';
import { pretty } from './api.js';

const maxShown = 100_000; // characters
const maxColoured = 20_000;
const token = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;

// block shows a value, and no more of it than a browser can bear.
export function block(value, label) {
  const text = pretty(value) ?? '';
  const shown = text.slice(0, maxShown);
  return h('div', {},
    h('pre', { class: 'code', tabindex: '0', role: 'region', 'aria-label': label }, text.length > maxColoured ? visible(shown) : coloured(shown)),
    text.length > maxShown && h('p', { class: 'quiet' }, `Only the first ${maxShown.toLocaleString('en')} of ${text.length.toLocaleString('en')} characters are shown.`));
}

// line shows a value on one line.
export function line(value, max = 2000) {
  const text = JSON.stringify(value) ?? '';
  return [coloured(text.slice(0, max)), text.length > max && h('span', { class: 'quiet' }, ` … ${(text.length - max).toLocaleString('en')} more characters`)];
}

function coloured(text) {
  const out = [];
  let at = 0;
  for (const m of text.matchAll(token)) {
    out.push(visible(text.slice(at, m.index)));
    const [all, string, colon, number] = m;
    if (string && colon) out.push(h('span', { class: 'j-key' }, visible(string)), visible(colon));
    else out.push(h('span', { class: string ? 'j-string' : number ? 'j-number' : 'j-word' }, visible(all)));
    at = m.index + all.length;
  }
  out.push(visible(text.slice(at)));
  return out;
}
