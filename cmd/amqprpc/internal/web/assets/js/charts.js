// Small charts. Lines are drawn, and all words are text beside them.

import { h, svg } from './dom.js';

const width = 600, height = 120, shown = 120;

// nice rounds up to a number that an axis can have.
function nice(n) {
  if (!(n > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 5, 10].find((step) => n <= step * power) * power;
}

// path goes through all points. Where there is no value, it has a gap.
function path(values, top, closed) {
  const x = (i) => ((shown - values.length + i) * width) / (shown - 1);
  const y = (v) => height - (Math.min(v, top) / top) * (height - 4) - 1;
  let d = '', start = null, last = null;
  values.forEach((v, i) => {
    if (v == null) {
      if (closed && last !== null) d += `L${x(last)} ${height}L${x(start)} ${height}Z`;
      last = null;
      return;
    }
    if (last === null) start = i;
    d += `${last === null ? 'M' : 'L'}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
    last = i;
  });
  if (closed && last !== null) d += `L${x(last)} ${height}L${x(start)} ${height}Z`;
  return d;
}

function drawing(lines, top) {
  return svg('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    [0, 0.5, 1].map((f) => svg('line', { class: 'grid', x1: 0, x2: width, y1: 3 + f * (height - 4), y2: 3 + f * (height - 4) })),
    lines.map(({ cls, values, area }) => [
      area && svg('path', { class: `area ${cls}`, d: path(values, top, true) }),
      svg('path', { class: `line ${cls}`, d: path(values, top, false) }),
    ]));
}

// chart draws lines of the last two minutes: each has a class, a title and values. write
// writes a value.
export function chart(title, lines, write) {
  const all = lines.flatMap((l) => l.values).filter((v) => v != null);
  const top = nice(Math.max(...all.slice(-500), 0));
  const busy = all.some((v) => v > 0);
  const now = lines.map((l) => `${l.title} ${write(l.values.findLast((v) => v != null) ?? null)}`).join(', ');
  return h('figure', { class: 'chart' },
    h('figcaption', {}, h('span', { class: 'chart-title' }, title),
      h('span', { class: 'legend' }, lines.map((l) => h('span', { class: `key ${l.cls}` }, l.title, ' ', h('b', {}, write(l.values.findLast((v) => v != null) ?? null)))))),
    h('div', { class: 'plot', role: 'img', 'aria-label': `${title}: ${now}` },
      drawing(lines, top),
      h('span', { class: 'axis top-axis' }, write(top)),
      !busy && h('span', { class: 'none' }, 'No calls in the last two minutes')),
    h('div', { class: 'span', 'aria-hidden': 'true' }, h('span', {}, '2 min ago'), h('span', {}, 'now')));
}

// spark draws one line without words.
export function spark(values) {
  const top = Math.max(...values, 0);
  return svg('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svg('path', { class: 'area ok', d: path(values, top || 1, true) }), svg('path', { class: 'line ok', d: path(values, top || 1, false) }));
}
