// @ts-check
/** A form made from a JSON Schema. */

import { html, useMemo } from "./html.js";
import { useLoaded } from "./loading.js";
import { WHOLE, fieldsOf } from "./schema.js";

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
 * The inputs of fields. `label` names the field of a value that is not an object, `names` other fields.
 * @param {{fields: Field[], label: string, names?: Record<string, string>}} props
 */
export const SchemaFields = ({ fields, label, names = {} }) =>
  html`${fields.map((field) => html`<label key=${field.name} class="field">
    <span class="field-name">${field.name === WHOLE ? label : (names[field.name] ?? field.name)}${field.required ? "" : html` <span class="hint">optional</span>`}</span>
    <${Input} field=${field} />
    ${field.about && html`<span class="hint">${inCode(field.about)}</span>`}
  </label>`)}`;

/** A description whose names in backticks are code. @param {string} text */
const inCode = (text) => text.split("`").map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));

/** What is written into the fields of a form. @param {HTMLFormElement} form @returns {(name: string) => string | boolean} */
export const writtenIn = (form) => (name) => {
  const input = /** @type {HTMLInputElement} */ (form.elements.namedItem(`field:${name}`));
  return input.type === "checkbox" ? input.checked : input.value;
};

/** @param {{field: Field}} props */
function Input({ field }) {
  const { kind, initial, required, schema } = field;
  const name = `field:${field.name}`;
  if (kind === "boolean") return html`<input name=${name} type="checkbox" defaultChecked=${initial} />`;
  if (kind === "choice")
    return html`<select name=${name} required=${required}>
      ${!initial && html`<option value=""></option>`}
      ${field.choices.map((one) => html`<option value=${JSON.stringify(one)} selected=${JSON.stringify(one) === initial}>${String(one)}</option>`)}
    </select>`;
  if (kind === "text" || kind === "number") {
    const type = kind === "number" ? "number" : "text";
    const step = schema.type === "integer" ? 1 : "any";
    return html`<input name=${name} type=${type} step=${step} min=${schema.minimum} max=${schema.maximum} maxlength=${schema.maxLength} required=${required} defaultValue=${initial} />`;
  }
  const rows = Math.min(16, Math.max(required ? 3 : 2, String(initial).split("\n").length + 1));
  const hint = { lines: "One per line", json: "JSON", long: "" }[kind];
  return html`<textarea name=${name} rows=${rows} placeholder=${hint} required=${required} spellcheck=${kind === "long"} defaultValue=${initial}></textarea>`;
}
