// @ts-check
/** A form made from a JSON Schema. */

import { html, useMemo } from "./html.js";
import { useLoaded } from "./loading.js";
import { InvalidField, WHOLE, fieldsOf } from "./schema.js";

/** @typedef {import("./schema.js").Field} Field */

/**
 * The fields of a schema that the API describes, beginning with `value`.
 * @param {(schemas: Record<string, any>) => any} choose finds the schema among all @param {any} [value]
 * @returns {{data: Field[] | null, error: any, reload: () => Promise<void>}}
 */
export function useFieldsOf(choose, value) {
  const { data, ...rest } = useLoaded("/openapi.json");
  const fields = useMemo(() => data && fieldsOf({ ...choose(data.components.schemas), components: data.components }, value), [data]);
  return { ...rest, data: fields };
}

/**
 * The inputs of fields. `label` names the field of a value that is not an object, `names` other fields. What `error` says
 * about a field is shown at the field; `at` is the path of the value in the body of the request that it answers.
 * @param {{fields: Field[], label: string, names?: Record<string, string>, error?: any, at?: string[]}} props
 */
export const SchemaFields = ({ fields, label, names = {}, error = null, at = [] }) =>
  html`${fields.map((field) => {
    const problem = problemAt(error, field.name, at);
    return html`<label key=${field.name} class="field">
      <span class="field-name">${field.name === WHOLE ? label : (names[field.name] ?? field.name)}${field.required ? "" : html` <span class="hint">optional</span>`}</span>
      <${Input} field=${field} isInvalid=${Boolean(problem)} />
      ${problem && html`<span class="bad">${problem}</span>`}
      ${field.about && html`<span class="hint">${inCode(field.about)}</span>`}
    </label>`;
  })}`;

/** What an error says about a field, or undefined. @param {any} error @param {string} name @param {string[]} at @returns {string | undefined} */
function problemAt(error, name, at) {
  if (error instanceof InvalidField) return error.field === name ? error.message : undefined;
  const path = (name === WHOLE ? at : [...at, name]).join(".");
  return error?.body?.validation_errors?.find((/** @type {any} */ one) => one.path.join(".") === path)?.message;
}

/** A description whose names in backticks are code. @param {string} text */
const inCode = (text) => text.split("`").map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));

/** What is written into the fields of a form. @param {HTMLFormElement} form @returns {(name: string) => string | boolean}
 * @throws {InvalidField} a field of a number contains something else, which the browser does not tell */
export const writtenIn = (form) => (name) => {
  const input = /** @type {HTMLInputElement} */ (form.elements.namedItem(`field:${name}`));
  if (input.validity.badInput) throw new InvalidField(`${name}: this is not a number`, name);
  return input.type === "checkbox" ? input.checked : input.value;
};

/** @param {{field: Field, isInvalid: boolean}} props */
function Input({ field, isInvalid }) {
  const { kind, initial, required, schema } = field;
  const name = `field:${field.name}`;
  if (kind === "boolean") return html`<input name=${name} aria-invalid=${isInvalid} type="checkbox" defaultChecked=${initial} />`;
  if (kind === "choice")
    return html`<select name=${name} aria-invalid=${isInvalid} required=${required}>
      ${!initial && html`<option value=""></option>`}
      ${field.choices.map((one) => html`<option value=${JSON.stringify(one)} selected=${JSON.stringify(one) === initial}>${String(one)}</option>`)}
    </select>`;
  if (kind === "text" || kind === "number") {
    const type = kind === "number" ? "number" : "text";
    const step = schema.type === "integer" ? 1 : "any";
    return html`<input name=${name} aria-invalid=${isInvalid} type=${type} step=${step} min=${schema.minimum} max=${schema.maximum} maxlength=${schema.maxLength} required=${required} defaultValue=${initial} />`;
  }
  const rows = Math.min(16, Math.max(required ? 3 : 2, String(initial).split("\n").length + 1));
  const hint = { lines: "One per line", json: "JSON", long: "" }[kind];
  return html`<textarea name=${name} aria-invalid=${isInvalid} rows=${rows} placeholder=${hint} required=${required} spellcheck=${kind === "long"} defaultValue=${initial}></textarea>`;
}
