// Writes the types of the protocol from docs/asyncapi.json, which is generated from the node's own types. `npm run generate`
// writes the files; a test compares them.
import { readFileSync, writeFileSync } from 'node:fs';

const DOCUMENT = new URL('../../../docs/asyncapi.json', import.meta.url);
const FOLDER = new URL('src/generated/', import.meta.url);
const BY = 'Generated from `docs/asyncapi.json` by `npm run generate`.';
/** A module of its own: the two tables of codes. */
const TABLES = ['ErrorCode', 'CloseCode'];
const WIDTH = 120;
/** Names that the language or the page has already. */
const NAMES = { Error: 'Failure' };

/** The files: each name with its text. */
export function generate() {
  const { components: { messages, schemas }, operations } = JSON.parse(readFileSync(DOCUMENT, 'utf8'));
  const last = (address) => address.split('/').at(-1);
  /** Schemas that another one refers to, in the order of their first mention. */
  const mentioned = new Set();

  const typeOf = (schema, isCommand) => {
    if (schema.$ref) {
      mentioned.add(last(schema.$ref));
      return last(schema.$ref);
    }
    if (schema.enum) return schema.enum.map((value) => JSON.stringify(value).replaceAll('"', "'")).join(' | ');
    if (schema.oneOf) return schema.oneOf.map((one) => typeOf(one)).join(' | ');
    if (schema.type === 'array') return `${typeOf(schema.items)}[]`;
    if (schema.properties) return `{ ${Object.entries(schema.properties).map(([name, its]) => `${name}: ${typeOf(its)}`).join('; ')} }`;
    const simple = { string: 'string', boolean: 'boolean', integer: 'number', object: isCommand ? 'object' : 'Record<string, unknown>' }[schema.type];
    const isAny = Object.keys(schema).every((key) => key === 'description');
    if (!simple && !isAny) throw new Error(`generate.mjs has no type for ${JSON.stringify(schema)}`);
    return simple ?? 'unknown';
  };

  /** `type` first, then the required members. Applications write commands, so a member of a command may be undefined. */
  const membersOf = ({ properties, required = [] }, isCommand) =>
    [...new Set(['type', ...required, ...Object.keys(properties)])].filter((name) => properties[name]).map((name) => {
      const isOptional = !required.includes(name);
      const type = typeOf(properties[name], isCommand) + (isOptional && isCommand ? ' | undefined' : '');
      return `${comment(properties[name].description, '  ')}  ${name}${isOptional ? '?' : ''}: ${type};\n`;
    }).join('');

  const declare = (name, schema, isCommand) => {
    const parts = schema.allOf ?? [schema];
    // A schema with members becomes a part of the frame. One with alternatives stays a type of its own.
    const objects = parts.map((part) => (schema.allOf && part.$ref ? schemas[last(part.$ref)] : part)).filter(({ properties }) => properties);
    const others = parts.filter((part) => part.$ref && !schemas[last(part.$ref)].properties);
    const rows = (schema.oneOf ?? []).filter(({ description }) => description).map((row) => `- \`${row.enum?.[0]}\`: ${row.description}`);
    const about = comment([schema.description, ...(schema.oneOf?.[0].enum ? rows : [])].join('\n'), '');
    if (!objects.length) return `${about}export ${fold(`type ${name} = ${typeOf(schema)};`)}\n`;
    const body = membersOf({ properties: Object.assign({}, ...objects.map((its) => its.properties)), required: objects.flatMap((its) => its.required ?? []) }, isCommand);
    return `${about}export ${others.length ? `type ${name} = ${others.map((one) => typeOf(one)).join(' & ')} & ` : `interface ${name} `}{\n${body}}${others.length ? ';' : ''}\n`;
  };

  const frames = (operation, description, union, nameOf) => {
    const keys = operations[operation].messages.map(({ $ref }) => last($ref));
    const names = keys.map((key) => nameOf(pascal(messages[key].name)));
    const declared = keys.map((key, index) => declare(names[index], messages[key].payload, operation === 'commands'));
    return [...declared, `/** ${description} */\nexport ${fold(`type ${union} = ${names.join(' | ')};`)}\n`];
  };

  const closes = (...should) => schemas.CloseCode.oneOf.filter((row) => should.includes(row['x-client-should'])).map((row) => row.enum[0]).join(', ');
  const declarations = [
    ...frames('events', 'Every frame of a node.', 'Frame', (name) => NAMES[name] ?? name),
    ...frames('commands', 'Every command of a client.', 'Command', (name) => `${name}Command`),
  ];
  // The set grows meanwhile.
  for (const name of mentioned) if (!TABLES.includes(name)) declarations.push(declare(name, schemas[name]));
  const used = TABLES.filter((name) => mentioned.has(name)).join(', ');
  return {
    'frames.ts': [
      `/** The frames of the wire protocol, version 1. ${BY} Not here: what a session does with a frame. */\nimport type { ${used} } from './codes.js';\n`,
      ...declarations,
    ].join('\n'),
    'codes.ts': [
      `/** The error codes and close codes of the wire protocol, version 1. ${BY} */\n`,
      ...TABLES.map((name) => declare(name, schemas[name])),
      `/** Closes after which a session ends. */\nexport const STOP_CODES = [${closes('stop', 'stop-and-fix')}];\n`,
      `/** Closes after which a client connects at once. After every other close it waits. */\nexport const AT_ONCE_CODES = [${closes('resume-at-once', 'renew-token')}];\n`,
    ].join('\n'),
  };
}

const pascal = (name) => name.replace(/(?:^|-)(\w)/g, (_, first) => first.toUpperCase());

/** A union over the width has one line for each part. */
function fold(text) {
  if (text.length + 'export '.length <= WIDTH) return text;
  return text.replace(' = ', '\n  = ').replaceAll(' | ', '\n  | ').replace('\n  = ', ' =\n  | ');
}

function comment(text, indent) {
  if (!text) return '';
  const lines = text.split('\n').flatMap((line) => wrap(line, WIDTH - indent.length - 3));
  if (lines.length === 1 && indent.length + lines[0].length + 7 <= WIDTH) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`;
}

function wrap(text, width) {
  const lines = [''];
  for (const word of text.split(' ')) {
    if (`${lines.at(-1)} ${word}`.length > width) lines.push(text.startsWith('- ') ? `  ${word}` : word);
    else lines.push([lines.pop(), word].filter(Boolean).join(' '));
  }
  return lines;
}

if (import.meta.filename === process.argv[1]) for (const [name, text] of Object.entries(generate())) writeFileSync(new URL(name, FOLDER), text);
