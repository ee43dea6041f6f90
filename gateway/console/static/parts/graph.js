// @ts-check
/** The plan of a run as a picture: boxes for steps, lines for dependencies. */

import { Edge, InsideBox, StepBox, ZoomButtons, endOf, needsOf, shapeOf } from "./graph_parts.js";
import { html, useEffect, useMemo, useState } from "./html.js";
import { LargeGraph } from "./large_graph.js";
import { LARGE, criticalPath, untangled } from "./layout.js";
import { useViewBox, viewBoxOf } from "./view_box.js";

/** @param {{steps: import("../rows.js").Step[], chosen: string, choose: (id: string) => void}} props */
export function Graph({ steps, chosen, choose }) {
  const nodes = useMemo(() => steps.map((step) => ({ id: step.taskId, needs: needsOf(step) })), [shapeOf(steps)]);
  const critical = useMemo(
    () => criticalPath(steps.map((step) => ({ id: step.taskId, needs: needsOf(step), ended: endOf(step) }))),
    [steps],
  );
  const Kind = steps.length > LARGE ? LargeGraph : SmallGraph;
  return html`<${Kind} steps=${steps} nodes=${nodes} critical=${critical} chosen=${chosen} choose=${choose} />`;
}

/**
 * @typedef {{steps: import("../rows.js").Step[], nodes: import("./layout.js").Node[], critical: Set<string>, chosen: string, choose: (id: string) => void}} GraphProps
 * `critical` are the steps of the critical path
 */

/** Units of the picture in one pixel at which names can be read. */
const READABLE = 1.5;

/** All steps at once, with few crossing lines. @param {GraphProps} props */
function SmallGraph({ steps, nodes, critical, chosen, choose }) {
  const layout = useUntangled(nodes);
  const [hovered, setHovered] = useState("");
  const view = useViewBox(layout, READABLE);
  if (!layout) return null;
  const { places } = layout;
  /** @param {string} need @param {string} id */
  const kindOf = (need, id) => (hovered === id || hovered === need ? "lit" : critical.has(id) && critical.has(need) ? "critical" : "");
  return html`<div class="graph">
    <svg
      ref=${view.ref} viewBox=${viewBoxOf(view.box)} style=${{ height: `${Math.max(layout.height + 90, 200)}px` }} ...${view.handlers}
      role="group" aria-label="Steps of the plan"
    >
      <${InsideBox} />
      ${nodes.flatMap(({ id, needs }) => needs.map((need) => html`<${Edge} key=${`${need}>${id}`} from=${places.get(need)} to=${places.get(id)} kind=${kindOf(need, id)} />`))}
      ${steps.map((step) => {
        const place = places.get(step.taskId);
        const kind = `${critical.has(step.taskId) ? "critical" : ""} ${chosen === step.taskId ? "chosen" : ""}`;
        return place && html`<${StepBox} key=${step.taskId} step=${step} place=${place} kind=${kind} choose=${choose} hover=${setHovered} />`;
      })}
    </svg>
    <${ZoomButtons} zoom=${view.zoom} fit=${view.fit} />
  </div>`;
}

/** @param {import("./layout.js").Node[]} nodes @returns {import("./layout.js").Layout | null} */
function useUntangled(nodes) {
  const [layout, setLayout] = useState(/** @type {any} */ (null));
  useEffect(() => {
    let current = true;
    void import("../vendor/dagre.js").then((dagre) => current && setLayout(untangled(dagre.default ?? dagre, nodes)));
    return () => void (current = false);
  }, [nodes]);
  return layout;
}
