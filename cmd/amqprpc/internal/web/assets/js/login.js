// The token. It comes in the fragment of the address, which browsers never send, or from the
// person, and is exchanged for a cookie that scripts cannot read.

import { decoded, h, id } from './dom.js';
import { post } from './api.js';

// fromAddress takes the token out of the address, so that it is not in the history.
export async function fromAddress() {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (!token) return;
  history.replaceState(null, '', location.pathname + '#/');
  await post('login', JSON.stringify({ token: decoded(token) }));
}

// form asks for the token, and calls done when it was right.
export function form(done) {
  const input = h('input', { type: 'password', id: id(), autocomplete: 'current-password', required: true });
  const wrong = h('p', { class: 'wrong', role: 'alert' });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await post('login', JSON.stringify({ token: input.value }));
      done();
    } catch (e) {
      wrong.textContent = e.message;
      input.focus();
    }
  };
  setTimeout(() => input.focus());
  return h('form', { class: 'empty login', submit }, h('h1', {}, 'This page needs its token'),
    h('p', {}, 'The person who started the page knows it.'), h('label', { for: input.id }, 'Token'), input, wrong, h('button', { class: 'primary' }, 'Open the page'));
}
