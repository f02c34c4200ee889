// Numbers and times for people.

// duration writes milliseconds with three digits.
export function duration(ms) {
  if (ms == null) return '–';
  if (ms <= 0) return '0';
  if (ms < 1) return `${digits(ms * 1000)} µs`;
  if (ms < 1000) return `${digits(ms)} ms`;
  return ms < 120_000 ? `${digits(ms / 1000)} s` : `${digits(ms / 60_000)} min`;
}

// rate writes a number a second.
export const rate = (n) => (n === 0 ? '0' : n < 0.1 ? '< 0.1' : digits(n));

export function digits(n) {
  return n.toLocaleString('en', { maximumFractionDigits: n < 10 ? 2 : n < 100 ? 1 : 0 });
}

export const count = (n) => (n ?? 0).toLocaleString('en');

// plural writes a number and its noun.
export const plural = (n, noun, many = noun + 's') => `${count(n)} ${n === 1 ? noun : many}`;

// ago says how long ago something was.
export function ago(time) {
  const s = (Date.now() - new Date(time).getTime()) / 1000;
  if (!Number.isFinite(s)) return 'at an unknown time';
  if (s < 60) return `${Math.max(0, Math.round(s))} s ago`;
  if (s < 3600) return `${Math.round(s / 60)} min ago`;
  if (s < 172_800) return `${Math.round(s / 3600)} h ago`;
  return `${Math.round(s / 86_400)} days ago`;
}
