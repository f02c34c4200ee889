// What the methods do, asked once a second while somebody looks.

import { get } from './api.js';

const kept = 120;

export class Meter {
  // update is called after each answer, moved when instances came or went, and failed with an
  // error.
  constructor({ update, moved, failed }) {
    Object.assign(this, { update, moved, failed, methods: new Map(), seq: 0, members: null, timer: null });
    document.addEventListener('visibilitychange', () => (document.hidden ? this.stop() : this.start()));
  }

  start() {
    if (this.timer === null && !document.hidden) this.timer = setTimeout(() => this.poll(), 0);
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = null;
  }

  async poll() {
    const began = performance.now();
    const timer = this.timer;
    try {
      this.take(await get(`stats?after=${this.seq}`));
      this.update();
    } catch (e) {
      this.failed(e);
    }
    if (this.timer === timer) this.timer = setTimeout(() => this.poll(), Math.max(200, 1000 - (performance.now() - began)));
  }

  take(answer) {
    if (answer.seq < this.seq) this.methods.clear();
    this.seq = answer.seq;
    for (const queue of this.methods.keys()) if (!Object.hasOwn(answer.methods, queue)) this.methods.delete(queue);
    for (const [queue, m] of Object.entries(answer.methods)) {
      const before = this.methods.get(queue)?.samples ?? [];
      this.methods.set(queue, { ...m, samples: [...before, ...m.samples].slice(-kept) });
    }
    Object.assign(this, { instances: answer.instances, unlisted: answer.unlisted });
    const { members } = this;
    this.members = answer.members;
    if (members !== null && members !== answer.members) this.moved();
  }

  of(queue) {
    return this.methods.get(queue);
  }
}

// lately sums up the last five seconds of a method.
export function lately(m) {
  const last = m?.samples.slice(-5) ?? [];
  const mean = (key) => (last.length ? last.reduce((n, s) => n + s[key], 0) / last.length : 0);
  const worst = (key) => last.reduce((n, s) => (s[key] == null ? n : Math.max(n ?? 0, s[key])), null);
  const now = last.at(-1);
  return { rate: mean('ok') + mean('errors'), errors: mean('errors'), p50: worst('p50'), p99: worst('p99'), queued: worst('queued_p99'), inFlight: now?.in_flight ?? 0, waiting: Math.max(now?.waiting ?? 0, m?.depth ?? 0) };
}
