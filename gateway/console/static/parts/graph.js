// @ts-check
/** The plan of a run as a picture: boxes for steps, lines for dependencies. Drag to move; scroll with Ctrl to zoom. */

import { duration } from "./format.js";
import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { HEIGHT, LARGE, WIDTH, criticalPath, layered, untangled } from "./layout.js";

/**
 * @param {{steps: any[], chosen: string, choose: (id: string) => void}} props
 */
export function Graph({ steps, chosen, choose }) {
  const nodes = useMemo(() => steps.map((step) => ({ id: step.taskId, needs: needsOf(step) })), [shapeOf(steps)]);
  const layout = useLayout(nodes);
  const [hovered, setHovered] = useState("");
  const critical = useMemo(
    () => criticalPath(steps.map((step) => ({ id: step.taskId, needs: needsOf(step), ended: endOf(step) }))),
    [steps],
  );
  const view = useView(layout);
  if (!layout) return null;
  const { places } = layout;
  return html`<div class="graph">
    <svg
      ref=${view.ref} viewBox=${view.box} style=${{ height: `${Math.max(layout.height + 90, 200)}px` }} ...${view.handlers}
      role="group" aria-label="Steps of the plan"
    >
      <clipPath id="inside-node"><rect width=${WIDTH - 8} height=${HEIGHT} /></clipPath>
      ${nodes.flatMap(({ id, needs }) =>
        needs.flatMap((need) => {
          const from = places.get(need);
          const to = places.get(id);
          if (!from || !to) return [];
          const lit = hovered === id || hovered === need ? "lit" : critical.has(id) && critical.has(need) ? "critical" : "";
          return html`<path key=${`${need}>${id}`} class=${`edge ${lit}`} d=${curve(from, to)} />`;
        }),
      )}
      ${steps.map((step) => {
        const place = places.get(step.taskId);
        if (!place) return null;
        const classes = `node ${step.status} ${critical.has(step.taskId) ? "critical" : ""} ${chosen === step.taskId ? "chosen" : ""}`;
        return html`<g
          key=${step.taskId} class=${classes} transform=${`translate(${place.x} ${place.y})`} tabindex="0" role="button"
          aria-label=${`${step.taskId}, ${step.toolOrPromptName}, ${step.status}`}
          onClick=${() => choose(step.taskId)}
          onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && choose(step.taskId)}
          onMouseEnter=${() => setHovered(step.taskId)} onMouseLeave=${() => setHovered("")}
        >
          <title>${step.description}</title>
          <rect width=${WIDTH} height=${HEIGHT} rx="8" />
          <rect class="band" width="5" height=${HEIGHT} rx="2" />
          <g clip-path="url(#inside-node)">
            <text x="16" y="22">${cut(labelOf(step), 25)}</text>
            <text class="minor" x="16" y="41">${nameOf(step)}${timeOf(step)}</text>
          </g>
        </g>`;
      })}
    </svg>
    <div class="zoom">
      <button onClick=${() => view.zoom(1.25)} aria-label="Zoom in">+</button>
      <button onClick=${() => view.zoom(0.8)} aria-label="Zoom out">−</button>
      <button onClick=${view.fit}>Fit</button>
    </div>
  </div>`;
}

/** @param {any} step @returns {string[]} */
const needsOf = (step) => (step.dependencies ?? []).filter((/** @type {string} */ need) => need !== "none");

/** The name of a step as people read it. @param {any} step */
export const labelOf = (step) => (step.taskId === "__SYNTHESIS__" ? "Report" : `${step.taskId} ${step.description}`);

/** @param {any} step */
const nameOf = (step) => (step.taskId === "__SYNTHESIS__" ? "" : `${step.toolOrPromptName} · `);
/** @param {any[]} steps */
const shapeOf = (steps) => steps.map((step) => `${step.taskId}<${needsOf(step)}`).join(";");
/** @param {any} step */
const endOf = (step) => (step.completedAt ? Date.parse(step.completedAt) : null);
/** @param {any} step */
const timeOf = (step) =>
  step.status === "completed" || step.status === "failed" ? duration(step.durationMs)
  : step.attempt > 1 ? `attempt ${step.attempt}` : step.status;
/** @param {string} text @param {number} most */
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** @param {import("./layout.js").Point} from @param {import("./layout.js").Point} to */
function curve(from, to) {
  const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2];
  const bend = Math.max(24, (x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

/** @param {import("./layout.js").Node[]} nodes @returns {import("./layout.js").Layout | null} */
function useLayout(nodes) {
  const [layout, setLayout] = useState(/** @type {any} */ (null));
  useEffect(() => {
    let current = true;
    if (nodes.length > LARGE) setLayout(layered(nodes));
    else void import("../vendor/dagre.js").then((dagre) => current && setLayout(untangled(dagre.default ?? dagre, nodes)));
    return () => void (current = false);
  }, [nodes]);
  return layout;
}

/** What part of the picture is visible. @param {import("./layout.js").Layout | null} layout */
function useView(layout) {
  const ref = useRef(/** @type {any} */ (null));
  const drag = useRef(/** @type {any} */ (null));
  const [box, setBox] = useState([0, 0, 100, 100]);
  const fit = () => {
    if (!layout) return;
    const shape = ref.current?.getBoundingClientRect() ?? { width: 1000, height: 400 };
    const scale = Math.max(1, layout.width / shape.width, layout.height / shape.height) * 1.04;
    const [width, height] = [shape.width * scale, shape.height * scale];
    setBox([(layout.width - width) / 2, (layout.height - height) / 2, width, height]);
  };
  useEffect(fit, [layout]);
  /** @param {number} factor */
  const zoom = (factor) => setBox(([x, y, w, h]) => [x + (w - w / factor) / 2, y + (h - h / factor) / 2, w / factor, h / factor]);
  const handlers = {
    onPointerDown: (/** @type {PointerEvent} */ event) => (drag.current = [event.clientX, event.clientY]),
    onPointerMove: (/** @type {PointerEvent} */ event) => {
      if (!drag.current || !event.buttons) return;
      const scale = box[2] / ref.current.clientWidth;
      const [dx, dy] = [event.clientX - drag.current[0], event.clientY - drag.current[1]];
      drag.current = [event.clientX, event.clientY];
      setBox(([x, y, w, h]) => [x - dx * scale, y - dy * scale, w, h]);
    },
    onPointerUp: () => (drag.current = null),
    onWheel: (/** @type {WheelEvent} */ event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1);
    },
  };
  return { ref, box: box.join(" "), fit, zoom, handlers };
}
