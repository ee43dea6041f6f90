// @ts-check
/** Fields of a form made from a JSON Schema, and the values that people write into them. Pure. */

/**
 * @typedef {{name: string, kind: "text" | "long" | "number" | "boolean" | "choice" | "lines" | "json", required: boolean,
 *   about: string, now: any, initial: string | boolean, choices: any[], schema: any}} Field
 * `now` is the value before anything is written, and `initial` how the field shows it.
 * `lines` is a list with one text per line. `json` is every value that has no simpler field.
 */

/** Name of the only field of a value that is not an object. */
export const WHOLE = "";

/** A written value that is not a value of its field. */
export class InvalidField extends Error {
  /** @param {string} message @param {string} field its name */
  constructor(message, field) {
    super(message);
    this.field = field;
  }
}

/**
 * The fields of a value. Without a value, they begin with the defaults of the schema. Schema null allows any value.
 * @param {any} schema @param {any} [value] @returns {Field[]}
 */
export function fieldsOf(schema, value) {
  const root = resolved(schema ?? {}, schema);
  const now = (/** @type {any} */ part, /** @type {any} */ old) => (value === undefined ? resolved(part, schema).default : old);
  if (!root.properties) return [fieldOf(WHOLE, root, schema, now(root, value), true)];
  const required = new Set(root.required ?? []);
  const more = Object.keys(value ?? {}).filter((name) => !(name in root.properties));
  return [...Object.keys(root.properties), ...more].map((name) => {
    const part = root.properties[name] ?? {};
    return fieldOf(name, part, schema, now(part, value?.[name]), required.has(name));
  });
}

/** The value that was written into fields. A field that is left as it is keeps its value. An empty field that is not
 * required is left out.
 * @param {Field[]} fields @param {(name: string) => string | boolean} written @throws {InvalidField} */
export function valueOf(fields, written) {
  if (fields.length === 1 && fields[0].name === WHOLE) return parsed(fields[0], written(WHOLE));
  const given = fields.map((field) => [field.name, fieldValue(field, written(field.name))]);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** @param {Field} field @param {string | boolean} written */
function fieldValue(field, written) {
  if (written === field.initial && field.now !== undefined) return field.now;
  return written === "" && !field.required ? undefined : parsed(field, written);
}

/** Whether two JSON values are equal. The order of keys has no meaning. @param {any} a @param {any} b @returns {boolean} */
export function isSame(a, b) {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b || Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => name in b && isSame(a[name], b[name]));
}

/** @param {string} name @param {any} part @param {any} root @param {any} now @param {boolean} required @returns {Field} */
function fieldOf(name, part, root, now, required) {
  const found = resolved(part, root);
  const isOpen = found.type === "boolean" && typeof now !== "boolean" && !required;
  const schema = isOpen ? { ...found, enum: [true, false] } : found;
  const kind = kindOf(schema, now);
  const about = [schema.description, limits(schema)].filter(Boolean).join(" ");
  return { name, kind, required, about, now, initial: initialOf(kind, now), choices: schema.enum ?? [], schema };
}

/** A schema without references, and without the alternatives null and a number as text. @param {any} schema @param {any} root @returns {any} */
function resolved(schema, root) {
  const path = /^#\/(.+)/.exec(schema.$ref ?? "")?.[1];
  if (path) return resolved(path.split("/").reduce((at, key) => at?.[key], root) ?? {}, root);
  const { anyOf, ...rest } = schema;
  const others = (anyOf ?? []).filter((/** @type {any} */ one) => one.type !== "null");
  const isNumber = others.some((/** @type {any} */ one) => one.type === "number");
  const some = isNumber ? others.filter((/** @type {any} */ one) => one.type !== "string") : others;
  return some.length === 1 ? { ...resolved(some[0], root), ...rest } : schema;
}

/** @param {any} schema @param {any} now @returns {Field["kind"]} */
function kindOf(schema, now) {
  if (schema.enum) return "choice";
  const type = schema.type ?? (now === undefined || typeof now === "string" ? "string" : "");
  if (type === "string" && (now === undefined || now === null || typeof now === "string")) return isLong(schema, now) ? "long" : "text";
  if (type === "integer" || type === "number") return "number";
  if (type === "boolean") return "boolean";
  const isTexts = (now ?? []).every?.((/** @type {any} */ one) => typeof one === "string" && !one.includes("\n"));
  return type === "array" && schema.items?.type === "string" && !schema.items.enum && isTexts ? "lines" : "json";
}

/** @param {any} schema @param {any} now */
const isLong = (schema, now) => !schema.format && (!(schema.maxLength <= 200) || (now ?? "").length > 80);

/** @param {Field["kind"]} kind @param {any} now */
function initialOf(kind, now) {
  if (kind === "boolean") return now === true;
  if (now === undefined || now === null) return "";
  if (kind === "choice" || kind === "json") return JSON.stringify(now, null, kind === "json" ? 2 : 0);
  return kind === "lines" ? now.join("\n") : String(now);
}

/** A limit from here on says nothing to people. */
const UNLIMITED = 1e9;

/** The limits of a schema as words. @param {any} schema */
function limits({ minimum, maximum, maxLength, format }) {
  const words = [];
  if (minimum) words.push(`at least ${minimum}`);
  if (maximum !== undefined && maximum < UNLIMITED) words.push(`at most ${maximum}`);
  if (maxLength !== undefined) words.push(`at most ${maxLength} characters`);
  if (format) words.push(format);
  return words.length ? `(${words.join(", ")})` : "";
}

/** @param {Field} field @param {string | boolean} written */
function parsed({ name, kind, schema }, written) {
  if (kind === "boolean") return written === true;
  const text = String(written);
  if (kind === "lines") return text.split("\n").map((line) => line.trim()).filter(Boolean);
  if (kind === "text" || kind === "long") return text;
  if (kind === "number") return numberOf(name, text, schema.type);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidField(`${name || "value"}: this is not JSON: ${error instanceof Error ? error.message : error}`, name);
  }
}

/** A number. An integer that JavaScript cannot hold exactly is refused. @param {string} name @param {string} text @param {string} type */
function numberOf(name, text, type) {
  const value = Number(text);
  if (!text.trim() || !Number.isFinite(value)) throw new InvalidField(`${name || "value"}: ${JSON.stringify(text)} is not a number`, name);
  if (type === "integer" && !Number.isSafeInteger(value)) throw new InvalidField(`${name || "value"}: ${text} is not a whole number up to 2^53`, name);
  return value;
}
