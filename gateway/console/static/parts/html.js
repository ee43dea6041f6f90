// @ts-check
/** Preact with htm templates: the one place that imports the view libraries. */

import { h, render } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

export const html = htm.bind(h);
export { render };
export { useCallback, useEffect, useMemo, useRef, useState } from "../vendor/preact-hooks.js";
