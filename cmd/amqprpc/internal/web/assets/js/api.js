// Requests to the server of this page.

// Refused is an answer that is an error of the page, not of a call.
export class Refused extends Error {
  constructor(status, failure) {
    super(failure?.message ?? `the page's server answered with the status ${status}`);
    this.status = status;
    this.failure = failure;
  }
}

export const get = (path, signal) => request(path, { signal });

export const post = (path, body, signal) => request(path, json(body, signal));

const json = (text, signal) => ({
  method: 'POST', signal, body: text, headers: { 'Content-Type': 'application/json' },
});

async function request(path, options) {
  const answer = await send(path, options);
  return parse(await answer.text());
}

async function send(path, options) {
  let answer;
  try {
    answer = await fetch('api/' + path, options);
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Refused(0, { code: 'unavailable', message: 'The program that serves this page does not answer. Is it still running?' });
  }
  if (answer.ok) return answer;
  let failure;
  try {
    failure = JSON.parse(await answer.text()).error;
  } catch { /* the status says enough */ }
  throw new Refused(answer.status, failure);
}

// lines posts a body and yields the events of the answer. Nothing more is read while the
// caller is busy, so that the server waits.
export async function* lines(path, body, signal) {
  const answer = await send(path, json(body, signal));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n');
    rest = parts.pop();
    for (const line of parts) if (line) yield parse(line);
  }
}

// browser names this browser to the server of the page, which counts what all tabs have open.
export const browser = (() => {
  const fresh = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
  try {
    if (localStorage.getItem('browser') === null) localStorage.setItem('browser', fresh);
    return localStorage.getItem('browser');
  } catch {
    return fresh; // the browser keeps nothing, so that each tab counts by itself
  }
})();

// parse reads JSON and keeps numbers that JavaScript would round.
export function parse(text) {
  return JSON.parse(text, (_, value, context) => {
    const source = context?.source;
    if (typeof value !== 'number' || source === undefined || String(value) === source) return value;
    return JSON.rawJSON(source);
  });
}

// isExact reports whether a value is a number that parse has kept as it was.
export const isExact = (value) => JSON.isRawJSON?.(value) ?? false;

// rounded returns a number that one can calculate with, also for one that parse has kept.
export const rounded = (value) => (isExact(value) ? Number(JSON.stringify(value)) : value);

// clone copies a value of JSON.
export const clone = (value) => parse(JSON.stringify(value ?? null));

// pretty writes a value for people.
export const pretty = (value) => JSON.stringify(value, null, 2);
