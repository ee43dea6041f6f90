// @ts-check
/** A picture of thousands of steps: groups of layers from afar, steps from near, and a map of all. */

import { Edge, InsideBox, StepBox, ZoomButtons } from "./graph_parts.js";
import { number } from "./format.js";
import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { HEIGHT, LARGE, WIDTH, grouped } from "./layout.js";
import { meet, useViewBox, viewBoxOf } from "./view_box.js";

/** @typedef {import("./layout.js").Group} Group */
/** @typedef {import("./view_box.js").Rect} Rect */

const TALL = 520;
const LINE_PX = 18;
const MAP = { width: 200, height: 110 };
/** Order in which the colours of a group are shown, and their names in its label. */
const STATUSES = { failed: "failed", running: "running", waiting: "waiting", completed: "done" };

/** @param {import("./graph.js").GraphProps} props */
export function LargeGraph({ steps, nodes, critical, chosen, choose }) {
  const layout = useMemo(() => grouped(nodes), [nodes]);
  const view = useViewBox(layout);
  const [hovered, setHovered] = useState("");
  const { places } = layout;
  const near = nodes.filter(({ id }) => meet(boxOf(places.get(id)), view.box));
  const isNear = near.length <= LARGE;
  useEffect(() => {
    const place = places.get(chosen);
    if (place && !(isNear && meet(boxOf(place), view.box))) view.show(boxOf(place));
  }, [chosen, places]);
  const enter = (/** @type {Group} */ group) => view.show({ ...group, width: Math.min(group.width, WIDTH * 5), height: Math.min(group.height, HEIGHT * 8) });
  return html`<div class="graph">
    <svg ref=${view.ref} viewBox=${viewBoxOf(view.box)} style=${{ height: `${TALL}px` }} ...${view.handlers} role="group" aria-label="Steps of the plan">
      <${InsideBox} />
      ${isNear
        ? html`<${Near} steps=${steps} near=${near} places=${places} critical=${critical} chosen=${chosen} choose=${choose} hovered=${hovered} hover=${setHovered} />`
        : html`<${Far} steps=${steps} groups=${layout.groups} scale=${view.scale} enter=${enter} />`}
    </svg>
    <${Minimap} steps=${steps} layout=${layout} box=${view.box} center=${view.center} />
    <${ZoomButtons} zoom=${view.zoom} fit=${view.fit} />
  </div>`;
}

/** @param {import("./layout.js").Point} [place] @returns {Rect} */
const boxOf = (place) => ({ x: place?.x ?? NaN, y: place?.y ?? NaN, width: WIDTH, height: HEIGHT });

/**
 * Steps in the window, lines between them, and all lines of the step under the pointer.
 * @param {Omit<import("./graph.js").GraphProps, "nodes"> & {near: import("./layout.js").Node[], places: Map<string, import("./layout.js").Point>, hovered: string, hover: (id: string) => void}} props
 */
function Near({ steps, near, places, critical, chosen, choose, hovered, hover }) {
  const ids = new Set(near.map((node) => node.id));
  const byId = new Map(steps.map((step) => [step.taskId, step]));
  /** @param {string} need @param {string} id */
  const kindOf = (need, id) => (hovered === id || hovered === need ? "lit" : critical.has(id) && critical.has(need) ? "critical" : "");
  const edges = near.flatMap(({ id, needs }) => needs.filter((need) => ids.has(need) || hovered === id).map((need) => [need, id]));
  return html`${edges.map(([need, id]) => html`<${Edge} key=${`${need}>${id}`} from=${places.get(need)} to=${places.get(id)} kind=${kindOf(need, id)} />`)}
    ${near.map(({ id }) => html`<${StepBox} key=${id} step=${byId.get(id)} place=${places.get(id)} choose=${choose} hover=${hover}
      kind=${`${critical.has(id) ? "critical" : ""} ${chosen === id ? "chosen" : ""}`} />`)}`;
}

/** One box for each group of layers, filled as far as its steps are done. @param {{steps: import("../rows.js").Step[], groups: Group[], scale: number, enter: (group: Group) => void}} props */
function Far({ steps, groups, scale, enter }) {
  const statuses = new Map(steps.map((step) => [step.taskId, step.status]));
  return groups.map((group) => {
    const counts = countsOf(group.ids.map((id) => statuses.get(id)));
    const name = group.first === group.last ? `Layer ${group.first}` : `Layers ${group.first}–${group.last}`;
    const parts = Object.entries(STATUSES).flatMap(([status, word]) => (counts[status] ? [`${number(counts[status])} ${word}`] : []));
    const text = [`${number(group.ids.length)} steps`, ...parts];
    let top = group.y + group.height;
    const bars = Object.keys(STATUSES).reverse().map((status) => {
      const height = ((counts[status] ?? 0) / group.ids.length) * group.height;
      top -= height;
      return html`<rect class=${`part ${status}`} x=${group.x} y=${top} width=${group.width} height=${height} />`;
    });
    const lines = group.width / scale > 90 ? [name, ...text].slice(0, Math.floor(group.height / scale / LINE_PX)) : [];
    return html`<g key=${name} class="group" tabindex="0" role="button" aria-label=${[name, ...text].join(", ")}
      onClick=${() => enter(group)} onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && enter(group)}>
      <title>${[name, ...text].join("\n")}</title>
      <rect class="room" x=${group.x} y=${group.y} width=${group.width} height=${group.height} rx=${8 * scale} />
      ${bars}
      ${lines.map((line, index) => html`<text x=${group.x + 8 * scale} y=${group.y + (index + 0.9) * LINE_PX * scale} style=${{ fontSize: `${13 * scale}px` }}>${line}</text>`)}
    </g>`;
  });
}

/** @param {(string | undefined)[]} statuses */
function countsOf(statuses) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const status of statuses) if (status) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** All steps as points in their colours, with the window on them. A click moves the window. @param {{steps: import("../rows.js").Step[], layout: import("./layout.js").Grouped, box: Rect, center: (x: number, y: number) => void}} props */
function Minimap({ steps, layout, box, center }) {
  const ref = useRef(/** @type {any} */ (null));
  const by = Math.max(layout.width / MAP.width, layout.height / MAP.height);
  useEffect(() => {
    const pen = ref.current.getContext("2d");
    const style = getComputedStyle(ref.current);
    pen.clearRect(0, 0, MAP.width, MAP.height);
    for (const { taskId, status } of steps) {
      const place = layout.places.get(taskId);
      if (!place) continue;
      pen.fillStyle = style.getPropertyValue({ completed: "--good", failed: "--bad", running: "--live", waiting: "--warn" }[/** @type {string} */ (status)] ?? "--minor");
      pen.fillRect(place.x / by, place.y / by, Math.max(1, WIDTH / by), Math.max(1, HEIGHT / by));
    }
  }, [steps, layout]);
  const move = (/** @type {PointerEvent} */ event) => {
    if (!event.buttons) return;
    const map = ref.current.getBoundingClientRect();
    center((event.clientX - map.left) * by, (event.clientY - map.top) * by);
  };
  const px = (/** @type {number} */ value) => `${value / by}px`;
  return html`<div class="minimap" aria-hidden="true" onPointerDown=${move} onPointerMove=${move}>
    <canvas ref=${ref} width=${MAP.width} height=${MAP.height}></canvas>
    <i style=${{ left: px(box.x), top: px(box.y), width: px(box.width), height: px(box.height) }}></i>
  </div>`;
}
