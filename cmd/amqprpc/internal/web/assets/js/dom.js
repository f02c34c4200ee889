// Elements. Everything that comes from servers passes through here as text: no function of
// this page parses HTML.

const svgSpace = 'http://www.w3.org/2000/svg';

// h makes an element. Attributes that are functions are listeners, true is an attribute
// without a value, and false, null and undefined leave the attribute out.
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// svg makes an element of a drawing.
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(svgSpace, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((c) => c != null && c !== false));
  return element;
}

// replace puts children in place of what an element has.
export function replace(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((c) => c != null && c !== false));
}

let ids = 0;

// id returns a new ID for an element.
export function id() {
  return 'e' + ++ids;
}

const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

// word looks up what a server has said, which may be "constructor", too.
export const word = (words, key) => (Object.hasOwn(words, key) ? words[key] : undefined);

// decoded undoes the percent encoding of a text, and returns a text with a wrong one as it is.
export function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// visible shows characters that would otherwise hide or reorder text. Where a server
// says something else than a text, it shows the JSON.
export function visible(text) {
  return (typeof text === 'string' ? text : text == null ? '' : JSON.stringify(text)).replace(hidden, (c) => '\\u' + c.codePointAt(0).toString(16).padStart(4, '0'));
}

// name shows a name of a server.
export function name(text, cls = '') {
  return h('bdi', { class: ('name ' + cls).trim() }, visible(text));
}
