// @ts-check
/** Where the focus goes when the element that has it vanishes or is disabled. The browser would lose it. */

/** What may get the focus near an element that has vanished: its result, or the heading of the part that it was in. */
const PLACES = ".notice, .problem, h1, h2, h3";
/** Pause before the focus moves: pages that close a part of themselves put the focus where they want it. */
const SETTLED_MS = 60;

/** Keep the focus in the page. Called once. */
export function keepFocus() {
  /** The element that has the focus, and its ancestors from the inside out. @type {HTMLElement[]} */
  let held = [];
  let timer = 0;
  const settle = () => {
    timer = 0;
    if (isLost()) placeFor(held)?.focus({ preventScroll: true });
  };
  document.addEventListener("focusin", ({ target }) => (held = lineOf(target)));
  document.addEventListener("pointerdown", ({ target }) => {
    if (!held[0]?.contains(/** @type {Node} */ (target))) held = [];
  });
  const observer = new MutationObserver(() => {
    if (held.length && isLost()) timer ||= setTimeout(settle, SETTLED_MS);
  });
  observer.observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["disabled"] });
}

const isLost = () => document.activeElement === document.body;

/** @param {EventTarget | null} element */
function lineOf(element) {
  const line = [];
  for (let one = /** @type {HTMLElement | null} */ (element); one && one !== document.body; one = one.parentElement) line.push(one);
  return line;
}

/** The element itself if it is there again, else one in the innermost ancestor that is left. @param {HTMLElement[]} line */
function placeFor([element, ...around]) {
  if (element.isConnected) return element;
  const left = around.filter((one) => one.isConnected);
  const twin = left[0] && twinOf(element, left[0]);
  return twin ?? left.map((one) => reachable(one.querySelector(PLACES))).find(Boolean);
}

/** The element that replaces another one, or the same one of the next row. @param {HTMLElement} element @param {HTMLElement} near */
function twinOf(element, near) {
  const alike = /** @type {HTMLElement[]} */ ([...near.querySelectorAll(element.localName)]);
  return alike.find((one) => one.textContent === element.textContent && !one.matches(":disabled"));
}

/** @param {HTMLElement | null} place */
function reachable(place) {
  if (place && !place.hasAttribute("tabindex")) place.tabIndex = -1;
  return place;
}
