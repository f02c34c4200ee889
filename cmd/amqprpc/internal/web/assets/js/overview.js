// The overview: all services, and how their methods do.

import { h, name, replace, visible } from './dom.js';
import { kind, link } from './side.js';
import { lately } from './meter.js';
import { spark } from './charts.js';
import { ago, digits, duration, plural, rate } from './time.js';

export class Overview {
  constructor(catalog, meter) {
    this.meter = meter;
    this.rows = new Map();
    const methods = new Map(catalog.methods.map((m) => [m.queue, m]));
    this.element = h('div', { class: 'page' },
      h('header', { class: 'page-head' }, h('h1', {}, 'What runs'),
        h('p', { class: 'lead' }, catalog.instances === 0 ? '' : `${plural(catalog.services.length, 'service')}, ${plural(catalog.methods.length, 'method')}, ${plural(catalog.instances, 'instance')}.`)),
      catalog.instances === 0 && catalog.faults.length === 0 && nobody(catalog),
      catalog.services.map((s) => this.service(s, s.methods.map((q) => methods.get(q)).filter(Boolean))),
      faults(catalog));
  }

  service(s, methods) {
    const versions = Object.entries(s.versions).filter(([v]) => v !== '');
    return h('section', { class: 'card service' },
      h('div', { class: 'card-head' }, h('h2', {}, name(s.name)),
        versions.map(([v, n]) => h('span', { class: versions.length > 1 ? 'tag warn' : 'tag', title: plural(n, 'instance') }, visible(v), versions.length > 1 && ` × ${n}`)),
        h('span', { class: 'quiet push' }, plural(s.count, 'instance'))),
      s.description && h('p', { class: 'about' }, visible(s.description)),
      methods.length > 0 && h('div', { class: 'table' }, h('table', {},
        h('thead', {}, h('tr', {}, ['Method', 'Last 2 min', 'Calls/s', 'Errors/s', 'p50', 'p99'].map((t, i) => h('th', { scope: 'col', class: i > 1 ? 'num' : i === 1 ? 'trend' : null }, t)))),
        h('tbody', {}, methods.map((m) => this.row(m))))),
      h('details', {}, h('summary', {}, 'Instances'), instances(s)));
  }

  row(m) {
    const cells = Object.fromEntries(['trend', 'rate', 'errors', 'p50', 'p99'].map((k) => [k, h('td', { class: k === 'trend' ? 'trend' : 'num' })]));
    this.rows.set(m.queue, [...(this.rows.get(m.queue) ?? []), cells]);
    return h('tr', {}, h('th', { scope: 'row' }, h('a', { href: link(m.queue) }, name(m.queue)), h('span', { class: 'kind' }, kind(m)[0])),
      cells.trend, cells.rate, cells.errors, cells.p50, cells.p99);
  }

  // update shows new statistics.
  update() {
    for (const [queue, rows] of this.rows) {
      const m = this.meter.of(queue);
      if (!m) continue;
      const l = lately(m);
      for (const c of rows) {
        replace(c.trend, spark(m.samples.map((s) => s.ok + s.errors)));
        replace(c.rate, rate(l.rate));
        replace(c.errors, l.errors > 0 ? h('span', { class: 'bad-text' }, rate(l.errors)) : '0');
        replace(c.p50, duration(l.p50 ?? m.p50));
        replace(c.p99, duration(l.p99 ?? m.p99));
      }
    }
  }
}

// instances lists the processes of a service.
export function instances(s) {
  return h('div', { class: 'table' }, h('table', { class: 'small' },
    h('thead', {}, h('tr', {}, ['Instance', 'Version', 'Host', 'Process', 'Started'].map((t) => h('th', { scope: 'col' }, t)))),
    h('tbody', {}, s.instances.map((i) => h('tr', {}, h('td', {}, name(i.id, 'mono')), h('td', {}, visible(i.version)), h('td', {}, name(i.host)), h('td', {}, digits(i.pid).replaceAll(',', '')), h('td', {}, ago(i.started)))))),
  s.count > s.instances.length && h('p', { class: 'quiet' }, `and ${plural(s.count - s.instances.length, 'more', 'more')}.`));
}

const example = `srv := amqprpc.NewServer(os.Getenv("AMQP_URL"),
	amqprpc.WithService(amqprpc.Service{Name: "hello"}))
amqprpc.Register(srv, "hello.greet", greet)
err := srv.Serve(ctx)

func greet(ctx context.Context, name string) (string, error) {
	return "Hello, " + name, nil
}`;

function nobody(catalog) {
  return h('section', { class: 'empty' },
    h('h2', {}, catalog.connected ? 'No service answers' : 'There is no connection to the broker'),
    h('p', {}, catalog.connected ? 'The broker is there, and no server of amqprpc is connected to it. Start one like this, or run ' : 'The page tries again by itself. Is the broker running? ',
      catalog.connected && h('code', {}, 'amqprpc demo'), catalog.connected && ', which brings a small shop of services.'),
    catalog.connected && h('pre', { class: 'code', tabindex: '0', role: 'region', 'aria-label': 'Example of a server' }, example),
    catalog.connected && h('p', { class: 'quiet' }, 'The list fills by itself. A server that answers no such questions can be called all the same: enter the name of its queue.'));
}

function faults(catalog) {
  if (catalog.faults.length === 0 && catalog.omitted === 0) return null;
  return h('section', { class: 'card notice', role: 'status' }, h('h2', {}, 'Not everything is shown'),
    h('ul', {}, catalog.faults.map((f) => h('li', {}, visible(f)))),
    catalog.omitted > 0 && h('p', {}, `${plural(catalog.omitted, 'part')} beyond the bounds of this page ${catalog.omitted === 1 ? 'is' : 'are'} left out.`));
}
