// @ts-check
/** Pages of a list that changes while it is read. Pure. */

/** @typedef {{cursor: string, rows: any[], next: string | null}} Page `cursor` is where it begins, `next` where the next page begins. */

const MOST = 500;

/** The pages with one more. @param {Page[]} pages @param {Page} more @returns {Page[]} */
export const continued = (pages, more) => [...pages, more];

/**
 * The pages with newer answers, or null for pages that were not asked for again. The first page grows: rows that newer ones
 * have pushed out of it stay, because the second page begins after them.
 * @param {Page[]} pages @param {(Page | null)[]} answers @returns {Page[]}
 */
export function refreshed(pages, answers) {
  const first = answers[0] ? grown(pages[0], answers[0]) : pages[0];
  if (!first) return answers[0] ? [answers[0]] : [];
  return pages.map((page, index) => {
    const answer = answers[index];
    if (index === 0) return first;
    if (!answer) return page;
    const after = new Set((pages[index + 1]?.rows ?? []).map((row) => row.id));
    const rows = answer.rows.filter((row) => !after.has(row.id));
    return { ...page, rows, next: index === pages.length - 1 ? answer.next : page.next };
  });
}

/**
 * The first page with its newer answer, or null if the list begins anew: nothing of the page is left in the answer, or it
 * would become too long to draw.
 * @param {Page} page @param {Page} answer @returns {Page | null}
 */
function grown(page, answer) {
  const last = answer.rows.at(-1);
  const at = page.rows.findIndex((row) => row.id === last?.id);
  if (at < 0 || !answer.next) return null;
  const rows = [...answer.rows, ...page.rows.slice(at + 1)];
  return rows.length > MOST ? null : { ...page, rows };
}
