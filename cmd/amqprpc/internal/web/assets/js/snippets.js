// The same call in other words.

import { h, id, replace, visible } from './dom.js';
import { pretty } from './api.js';

// shell quotes a text for bash. A terminal may obey control characters in what is pasted:
// they are escaped.
function shell(text) {
  if (visible(text) === text && !/[\t\n]/.test(text)) return `'${text.replaceAll("'", `'\\''`)}'`;
  const escaped = visible(text.replace(/[\\']/g, '\\$&')).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
  return `$'${escaped}'`;
}

const quoted = (text) => visible(JSON.stringify(text)); // as JSON, Go and Python read it
const goString = (text) => (text.includes('`') ? quoted(text) : '`' + text + '`');
const plain = (queue) => (/^[\w.:/-]+$/.test(queue) ? queue : shell(queue));
const comma = ', ';

function cli(m, body, instance) {
  const verb = m.kind === 'unary' ? 'call' : 'stream';
  const only = instance ? ` --instance=${plain(instance)}` : '';
  const end = m.queue.startsWith('-') || (m.kind !== 'client_stream' && m.kind !== 'bidi_stream' && body.startsWith('-')) ? ' --' : ''; // what follows is no option
  if (m.kind === 'client_stream' || m.kind === 'bidi_stream') return `echo ${shell(body)} | amqprpc stream${end} ${plain(m.queue)}`;
  return `amqprpc ${verb}${only}${end} ${plain(m.queue)} ${shell(body)}`;
}

function go(m, body, instance) {
  const queue = quoted(m.queue), message = `json.RawMessage(${goString(body)})`;
  const types = '[json.RawMessage, json.RawMessage]';
  const dial = `cli, err := amqprpc.Dial(ctx, os.Getenv("AMQP_URL"))\nif err != nil {\n\treturn err\n}\ndefer cli.Close()\n\n`;
  const check = '\tif err != nil {\n\t\treturn err\n\t}\n';
  switch (m.kind) {
    case 'server_stream':
      return `${dial}stream := amqprpc.ServerStream${types}(${queue})\nfor message, err := range stream.Call(ctx, cli, ${message}) {\n${check}\tfmt.Printf("%s\\n", message)\n}`;
    case 'client_stream':
      return `${dial}messages := []json.RawMessage{${message}}\nstream := amqprpc.ClientStream${types}(${queue})\nresult, err := stream.Call(ctx, cli, amqprpc.Items(slices.Values(messages)))`;
    case 'bidi_stream':
      return `${dial}talk, err := amqprpc.BidiStream${types}(${queue}).Open(ctx, cli)\nif err != nil {\n\treturn err\n}\ndefer talk.Close()\nif err := talk.Send(${message}); err != nil {\n\treturn err\n}\nfor message, err := range talk.All() {\n${check}\tfmt.Printf("%s\\n", message)\n}`;
    default: {
      const only = instance ? `${comma}amqprpc.WithInstance(${quoted(instance)})` : '';
      return `${dial}result, err := amqprpc.Call${types}(ctx, cli, ${queue}, ${message}${only})`;
    }
  }
}

// Python strings take what JSON strings do.
function python(m, body) {
  if (m.kind !== 'unary') return '# A stream needs flow control, which a few lines of Python do not have.\n# The protocol is in docs/protocol.md.';
  return `import os, pika, uuid

connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
call = str(uuid.uuid4())

def on_reply(ch, method, properties, body):
    if properties.correlation_id == call:
        print(properties.headers, body.decode())
        ch.stop_consuming()

channel.basic_consume("amq.rabbitmq.reply-to", on_reply, auto_ack=True)
channel.basic_publish("", ${quoted(m.queue)}, ${quoted(body)}.encode(),
    pika.BasicProperties(content_type="application/json", correlation_id=call, message_id=call,
                         reply_to="amq.rabbitmq.reply-to", expiration="30000"))
channel.start_consuming()
connection.close()`;
}

const languages = [['Command line', cli], ['Go', go], ['Python', python]];

// Snippets shows a call in each language.
export class Snippets {
  constructor(method) {
    this.method = method;
    this.at = 0;
    this.value = null;
    this.instance = '';
    this.panel = h('pre', { class: 'code', tabindex: '0', role: 'tabpanel', id: id() });
    this.tabs = languages.map(([title], i) => h('button', {
      type: 'button', role: 'tab', id: id(), 'aria-controls': this.panel.id, click: () => this.select(i), keydown: (e) => this.key(e, i),
    }, title));
    this.copy = h('button', { type: 'button', class: 'link', click: () => this.toClipboard() }, 'Copy');
    this.element = h('section', { class: 'card' },
      h('div', { class: 'card-head' }, h('h2', {}, 'The same call'), h('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Language' }, this.tabs), this.copy),
      this.panel);
    this.select(0);
  }

  key(event, i) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (i + step + languages.length) % languages.length;
    this.select(next);
    this.tabs[next].focus();
  }

  select(i) {
    this.at = i;
    this.tabs.forEach((tab, j) => {
      tab.setAttribute('aria-selected', String(i === j));
      tab.tabIndex = i === j ? 0 : -1;
    });
    this.panel.setAttribute('aria-labelledby', this.tabs[i].id);
    this.draw();
  }

  show(value, instance = this.instance) {
    this.value = value;
    this.instance = instance;
    this.draw();
  }

  draw() {
    const body = visible(JSON.stringify(this.value) ?? 'null'); // hidden characters become escapes of JSON
    this.text = languages[this.at][1](this.method, this.at === 1 && body.length > 60 ? visible(pretty(this.value)) : body, this.instance);
    replace(this.panel, this.text);
  }

  async toClipboard() {
    try {
      await navigator.clipboard.writeText(this.text);
      this.copy.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(this.panel);
      this.copy.textContent = 'Selected: press Ctrl+C';
    }
    setTimeout(() => { this.copy.textContent = 'Copy'; }, 2000);
  }
}
