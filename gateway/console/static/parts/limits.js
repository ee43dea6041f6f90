// @ts-check
/** Fields for what a run may do and spend. */

import { Loaded, Unfolded } from "./components.js";
import { html } from "./html.js";
import { valueOf } from "./schema.js";
import { SchemaFields, useFieldsOf, writtenIn } from "./schema_form.js";

/** Names of the limits of a budget. @type {Record<string, string>} */
export const LIMITS = { usd: "US dollars", tokens: "Tokens", seconds: "Seconds", steps: "Steps" };
const POLICY = { outwardCalls: "Calls that send something to others", approvals: "Tools that need an approval" };

/** The schema of the fields. @param {any} schemas of the API */
const limitsOf = ({ Budget, GoalParams: { properties } }) => ({
  type: "object",
  properties: { ...Budget.properties, outwardCalls: properties.outwardCalls, approvals: properties.approvals },
});

/**
 * Limits of a run, as a part of the form around them.
 * @param {{fields: {current: any[] | null}}} props `fields` receives the fields, for `limitsIn`
 */
export const Limits = ({ fields }) => html`<${Unfolded} title="Budget and approvals"><${Fields} fields=${fields} /><//>`;

/** @param {{fields: {current: any[] | null}}} props */
function Fields({ fields }) {
  const made = useFieldsOf(limitsOf);
  fields.current = made.data;
  return html`<${Loaded} of=${made}>${(/** @type {any} */ all) => html`<${SchemaFields} fields=${all} label="Limits" names=${{ ...LIMITS, ...POLICY }} />`}<//>`;
}

/** The limits that were written into a form, as the API takes them. @param {HTMLFormElement} form @param {any[] | null} fields */
export function limitsIn(form, fields) {
  if (!fields) return {};
  const { outwardCalls, approvals, ...limits } = valueOf(fields, writtenIn(form));
  const budget = Object.keys(limits).length ? limits : undefined;
  return { budget, outwardCalls, approvals: approvals?.length ? approvals : undefined };
}
