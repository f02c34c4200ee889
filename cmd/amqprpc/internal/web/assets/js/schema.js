// What a form needs to know of a JSON Schema. Schemas come from strangers: everything here
// ends, whatever they hold.

import { clone, isExact } from './api.js';
import { decoded } from './dom.js';

const maxSteps = 200;
const maxChoices = 100;

// resolve follows references and merges allOf. Schemas that refer to themselves many times
// are cut after some steps.
export function resolve(root, schema, steps = { left: maxSteps }) {
  if (schema === true || schema == null || typeof schema !== 'object' || steps.left-- <= 0) return {};
  let out = schema;
  if (typeof schema.$ref === 'string') {
    const { $ref, ...rest } = schema;
    out = { ...resolve(root, pointer(root, $ref), steps), ...rest };
  }
  if (Array.isArray(out.allOf)) {
    const { allOf, ...rest } = out;
    out = allOf.slice(0, maxSteps).map((s) => resolve(root, s, steps)).reduce(merge, rest);
  }
  return out;
}

function merge(a, b) {
  return {
    ...b, ...a,
    properties: a.properties || b.properties ? { ...b.properties, ...a.properties } : undefined,
    required: [...list(a.required), ...list(b.required)],
  };
}

function pointer(root, ref) {
  if (ref === '#') return root;
  if (!ref.startsWith('#/')) return {};
  let at = root;
  for (const token of ref.slice(2).split('/')) {
    const key = decoded(token).replaceAll('~1', '/').replaceAll('~0', '~');
    if (at == null || typeof at !== 'object' || !Object.hasOwn(at, key)) return {};
    at = at[key];
  }
  return at;
}

// typeOf returns the JSON type of a value.
export function typeOf(value) {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  return isExact(value) ? 'number' : typeof value;
}

const types = (schema) => [].concat(schema.type ?? []).filter((t) => typeof t === 'string');

// describe returns how a form shows a schema: its kind, the schema without null, and whether
// null is allowed.
export function describe(root, schema) {
  let s = resolve(root, schema);
  let nullable = false;
  const steps = { left: maxSteps }; // of all choices, which may refer to many others each
  const choices = [s.oneOf, s.anyOf].find(Array.isArray)?.slice(0, maxChoices).map((c) => resolve(root, c, steps));
  if (choices) {
    const real = choices.filter((c) => c.type !== 'null');
    nullable = real.length < choices.length;
    if (real.length > 1) return { kind: 'choice', schema: s, choices: real, nullable };
    const { oneOf, anyOf, ...rest } = s;
    s = { ...rest, ...real[0] };
  }
  const all = types(s);
  const named = all.filter((t) => t !== 'null');
  nullable ||= named.length < all.length;
  return { kind: kindOf(s, named), schema: s, nullable };
}

function kindOf(s, named) {
  if (Object.hasOwn(s, 'const')) return 'const';
  if (Array.isArray(s.enum)) return 'enum';
  if (named.length > 1) return 'any';
  switch (named[0]) {
    case 'object': return s.properties || !s.additionalProperties ? 'object' : 'map';
    case 'array': case 'string': case 'boolean': case 'integer': case 'number': case 'null': return named[0];
  }
  if (s.properties) return 'object';
  return 'any';
}

// fits reports whether a value looks like a schema. It decides only which choice is shown.
export function fits(root, schema, value) {
  const { kind, schema: s } = describe(root, schema);
  const type = typeOf(value);
  switch (kind) {
    case 'object':
      return type === 'object' && list(s.required).every((k) => Object.hasOwn(value, k)) &&
        Object.entries(s.properties ?? {}).every(([k, p]) => !Object.hasOwn(p ?? {}, 'const') || !Object.hasOwn(value, k) || value[k] === p.const);
    case 'map': return type === 'object';
    case 'integer': return type === 'number';
    case 'const': return JSON.stringify(s.const) === JSON.stringify(value);
    case 'enum': return s.enum.some((e) => JSON.stringify(e) === JSON.stringify(value));
    case 'any': case 'choice': return true;
    default: return type === kind;
  }
}

// fresh returns a new value: the least one that a person can go on from.
export function fresh(root, schema, depth = 0, steps = { left: maxSteps }) {
  const { kind, schema: s, choices, nullable } = describe(root, schema);
  if (Object.hasOwn(s, 'default')) return clone(s.default);
  if (Array.isArray(s.examples) && s.examples.length) return clone(s.examples[0]);
  if (depth > 8 || steps.left-- <= 0) return null;
  const inner = (part) => fresh(root, part, depth + 1, steps);
  switch (kind) {
    case 'const': return clone(s.const);
    case 'enum': return s.enum[0] ?? null;
    case 'choice': return nullable ? null : inner(choices[0]);
    case 'object': {
      const out = {};
      for (const key of list(s.required)) put(out, key, inner(s.properties?.[key]));
      return out;
    }
    case 'map': return {};
    case 'array': return Array.from({ length: typeof s.minItems === 'number' ? Math.min(Math.max(s.minItems, 0), 10) : 0 }, () => inner(s.items));
    case 'string': return '';
    case 'boolean': return false;
    case 'integer': case 'number': return typeof s.minimum === 'number' ? s.minimum : 0;
    default: return null;
  }
}

// list returns the texts of what should be a list of texts.
export const list = (texts) => (Array.isArray(texts) ? texts.filter((t) => typeof t === 'string').slice(0, maxSteps) : []);

// put sets a property, also one of the name __proto__.
export function put(object, key, value) {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

const bounds = [['minimum', '≥ '], ['exclusiveMinimum', '> '], ['maximum', '≤ '], ['exclusiveMaximum', '< ']];

// range writes how many of something there may be.
function range(least, most, noun) {
  const low = typeof least === 'number' && least > 0 ? least : null, high = typeof most === 'number' ? most : null;
  if (low === null && high === null) return '';
  if (low === high) return `${low} ${noun}`;
  if (high === null) return `${low} ${noun} or more`;
  return low === null ? `at most ${high} ${noun}` : `${low} to ${high} ${noun}`;
}

// hint says in a few words what a schema allows.
export function hint(s) {
  const type = typeof s.format === 'string' ? s.format : (typeof s.contentEncoding === 'string' ? `${s.contentEncoding} text` : types(s).filter((t) => t !== 'null').join(' or '));
  const parts = [type, ...bounds.filter(([key]) => typeof s[key] === 'number' && Math.abs(s[key]) < 2 ** 31 - 1).map(([key, sign]) => sign + s[key])];
  parts.push(range(s.minLength, s.maxLength, 'characters'), range(s.minItems, s.maxItems, 'items'), typeof s.pattern === 'string' ? s.pattern : '');
  return parts.filter(Boolean).join(', ');
}
