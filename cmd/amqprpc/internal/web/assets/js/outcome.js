// What a call has led to: a result, or an error with all that is known about it.

import { h, name, visible, word } from './dom.js';
import { rounded } from './api.js';
import { block } from './json.js';
import { duration } from './time.js';

const outcomes = {
  'not-sent': 'The request was not sent.',
  'not-executed': 'No handler has run. You may call again.',
  executed: 'A handler has run and returned this error.',
  unknown: 'Nobody can tell whether a handler has run.',
};

// failure shows an error.
export function failure(error) {
  const details = Object.entries(error.details ?? {});
  return h('div', { class: 'failure' },
    h('p', { class: 'verdict' }, h('span', { class: 'badge bad' }, visible(error.code)), error.remote ? ' from the server' : ' from this side'),
    h('p', { class: 'message' }, visible(error.message)),
    error.problems?.length > 0 && h('ul', { class: 'problems' }, error.problems.map((p) => h('li', {}, p.path && h('code', {}, visible(p.path)), p.path && ' ', visible(p.text)))),
    h('p', { class: 'quiet' }, word(outcomes, error.outcome) ?? '', error.retry_after_ns ? ` The server asks to call again after ${duration(rounded(error.retry_after_ns) / 1e6)}.` : ''),
    details.map(([key, value]) => h('div', { class: 'detail' }, h('h3', {}, 'Detail ', name(key)), block(value, `Detail ${key}`))));
}

// result shows a response.
export function result(value, title = 'ok') {
  return h('div', {}, h('p', { class: 'verdict' }, h('span', { class: 'badge good' }, title)), block(value, 'Result'));
}

const parts = [['sent_ns', 'sent', 'until the broker had the request'], ['queued_ns', 'queue', 'until a handler started'], ['handler_ns', 'handler', 'while the handler ran'], ['back_ns', 'back', 'until the reply was here']];

// timing shows where the time of a call went.
export function timing(answer) {
  const t = Object.fromEntries(Object.entries(answer ?? {}).map(([key, ns]) => [key, rounded(ns)])); // servers say some of them
  if (!t.total_ns) return null;
  const known = parts.filter(([key]) => t[key] > 0);
  const sum = known.reduce((n, [key]) => n + t[key], 0);
  const bar = h('div', { class: 'timing-bar', 'aria-hidden': 'true' }, known.map(([key, title]) => {
    const part = h('span', { class: `part part-${title}` });
    part.style.flexGrow = String(Math.max(t[key] / sum, 0.012));
    return part;
  }));
  return h('div', { class: 'timing' },
    h('p', { class: 'timing-total' }, h('strong', {}, duration(t.total_ns / 1e6)), ' in all'),
    known.length > 0 && bar,
    known.length > 0 && h('dl', { class: 'timing-parts' }, known.map(([key, title, meaning]) => h('div', { class: `key-${title}`, title: meaning }, h('dt', {}, title), h('dd', {}, duration(t[key] / 1e6))))));
}
