// The whole: what is shown, and when it is asked for.

import { decoded, h, replace, visible } from './dom.js';
import { get } from './api.js';
import { Meter } from './meter.js';
import { Side } from './side.js';
import { Overview } from './overview.js';
import { MethodPage, foreign } from './method.js';
import { form, fromAddress } from './login.js';

const main = document.getElementById('main');
const broker = document.getElementById('broker');
const shell = document.getElementById('shell');
const side = new Side(document.getElementById('side'));
const drafts = new Map(); // what a person has written, by queue
const meter = new Meter({ update, moved: () => reload(), failed });

let catalog = null;
let page = null;
let shown = null; // the queue of the page, or null for the overview

document.getElementById('skip').addEventListener('click', (e) => {
  e.preventDefault();
  main.focus();
});

const wanted = () => (location.hash.startsWith('#/m/') ? decoded(location.hash.slice(4)) : null);

// show draws the page that the address names.
function show(focus) {
  if (!catalog) return;
  page?.leave?.();
  shown = wanted();
  side.show(catalog, shown);
  shell.dataset.view = shown === null ? 'list' : 'method';
  document.title = shown === null ? 'amqprpc' : `${visible(shown)} · amqprpc`;
  page = shown === null ? new Overview(catalog, meter) : methodPage(method(shown));
  page.update();
  replace(main, page.element);
  if (focus) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

// methodPage goes without the schema and the examples of a method if they cannot be shown.
function methodPage(m) {
  try {
    return new MethodPage(m, catalog, meter, drafts);
  } catch (e) {
    console.warn(e);
    drafts.delete(m.queue);
    return new MethodPage({ ...m, oversized: true, request: { type: m.request.type }, response: { type: m.response.type }, errors: [] }, catalog, meter, drafts);
  }
}

const method = (queue) => catalog.methods.find((m) => m.queue === queue) ?? foreign(queue);

// reload asks what runs. The page of a method stays as it is, so that nobody loses what they
// have written or got, unless the method itself has changed. It stays, too, while no server
// describes the method: it restarts, perhaps.
async function reload() {
  const turn = ++turns;
  let next;
  try {
    next = await get('catalog');
  } catch (e) {
    return failed(e);
  }
  if (turn !== turns) return; // a later answer is, or will be, newer
  catalog = next;
  status();
  const m = next.methods.find((found) => found.queue === shown);
  const stays = page?.m && (!m || page.panel.abort || contract(m) === contract(page.m));
  if (!stays) return show(false);
  page.setGone(!m && !page.m.foreign);
  side.show(catalog, shown);
}

const contract = ({ count, services, ...rest }) => JSON.stringify(rest);


function status() {
  replace(broker, h('span', { class: catalog.connected ? 'dot good-dot' : 'dot bad-dot', 'aria-hidden': 'true' }),
    catalog.connected ? 'connected to ' : 'no connection to ', h('bdi', { class: 'mono' }, visible(catalog.broker)));
}

function update() {
  if (broken) {
    broken = false;
    reload();
  }
  page?.update();
  if (catalog && meter.instances !== catalog.instances + catalog.faults.length && ++stale % 5 === 0) reload();
}

let turns = 0; // of reload
let stale = 0;
let broken = false; // the last statistics did not come

function failed(e) {
  if (e.status === 401) return login();
  broken = true;
  if (!catalog) replace(main, h('section', { class: 'empty' }, h('h1', {}, 'The page has no data'), h('p', {}, visible(e.message)), h('button', { class: 'primary', click: begin }, 'Try again')));
  else replace(broker, h('span', { class: 'dot bad-dot', 'aria-hidden': 'true' }), visible(e.message));
}

function login() {
  meter.stop();
  if (main.querySelector('.login')) return;
  page?.leave?.();
  page = null;
  shell.dataset.view = 'login';
  replace(main, form(begin));
}

async function begin() {
  replace(main, h('p', { class: 'waiting pad' }, h('span', { class: 'spinner', 'aria-hidden': 'true' }), 'Asking the services …'));
  try {
    await fromAddress();
  } catch { /* the form asks for the token */ }
  await reload();
  if (catalog) meter.start();
}

addEventListener('hashchange', () => show(true));
begin();
