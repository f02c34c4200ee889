// What all instances have answered to one call, as it comes.

import { h, name, replace } from './dom.js';
import { failure, result } from './outcome.js';
import { duration, plural } from './time.js';

const maxShown = 200; // answers
const maxChars = 1_000_000; // of all answers that are shown

export class Answers {
  constructor() {
    Object.assign(this, { count: 0, failed: 0, chars: 0, hidden: 0 });
    this.list = h('ol', { class: 'answers', 'aria-label': 'Answers' });
    this.figures = h('p', { class: 'quiet', role: 'status' });
    this.element = h('div', { class: 'outcome' }, this.figures, this.list);
    this.figure();
  }

  add({ instance, message, error, ms }) {
    this.count++;
    if (error) this.failed++;
    this.chars += (JSON.stringify(error ?? message) ?? '').length;
    if (this.count > maxShown || (this.count > 1 && this.chars > maxChars)) this.hidden++;
    else this.list.append(h('li', {}, h('h3', {}, name(instance), h('span', { class: 'quiet' }, ` after ${duration(ms)}`)), error ? failure(error) : result(message)));
    this.figure();
  }

  figure() {
    replace(this.figures, `${plural(this.count, 'answer')}`, this.failed > 0 && `, of which ${plural(this.failed, 'error')}`, this.hidden > 0 && `; ${this.hidden} are not shown`);
  }
}
