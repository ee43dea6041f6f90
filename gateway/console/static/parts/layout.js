// @ts-check
/** Positions of the steps of a plan. Pure. */

export const WIDTH = 200;
export const HEIGHT = 54;
const GAP_X = 56;
const GAP_Y = 18;
/** Above this number of steps, they are placed in blocks: minimizing crossings takes too long, and nobody could read them. */
export const LARGE = 150;
const MOST_GROUPS = 36;

/**
 * @typedef {{id: string, needs: string[]}} Node
 * @typedef {{x: number, y: number}} Point
 * @typedef {{places: Map<string, Point>, width: number, height: number}} Layout
 * @typedef {{x: number, y: number, width: number, height: number, ids: string[], first: number, last: number}} Group the layers from `first` to `last`
 * @typedef {Layout & {groups: Group[]}} Grouped
 */

/**
 * Place many steps: groups of layers in reading order, each a block of rows and columns. Where there are too many layers, a
 * group has several. @param {Node[]} nodes @returns {Grouped}
 */
export function grouped(nodes) {
  const layers = layersOf(nodes);
  const size = Math.ceil(layers.length / MOST_GROUPS);
  /** @type {Group[]} */
  const groups = [];
  for (let at = 0; at < layers.length; at += size) {
    const ids = layers.slice(at, at + size).flat();
    const rows = rowsOf(ids.length);
    const [width, height] = [Math.ceil(ids.length / rows) * (WIDTH + GAP_Y) - GAP_Y, rows * (HEIGHT + GAP_Y) - GAP_Y];
    groups.push({ x: 0, y: 0, width, height, ids, first: at + 1, last: Math.min(at + size, layers.length) });
  }
  const { width, height } = inLines(groups);
  const places = new Map(groups.flatMap((group) => group.ids.map((id, index) => [id, placeIn(group, index)])));
  return { places, groups, width, height };
}

/** The number of rows of a block that is not much wider than high. @param {number} steps */
const rowsOf = (steps) => Math.min(steps, Math.max(8, Math.ceil(Math.sqrt(steps * 3.5))));

/** @param {Group} group @param {number} index @returns {Point} */
const placeIn = ({ x, y, ids }, index) => ({
  x: x + Math.floor(index / rowsOf(ids.length)) * (WIDTH + GAP_Y),
  y: y + (index % rowsOf(ids.length)) * (HEIGHT + GAP_Y),
});

/** Place groups from left to right, and in the next line where a line is full. Returns the size of all. @param {Group[]} groups */
function inLines(groups) {
  const area = groups.reduce((sum, { width, height }) => sum + (width + GAP_X) * (height + GAP_X), 0);
  const most = Math.max(...groups.map((group) => group.width), Math.sqrt(area * 2.4));
  /** @type {Group[][]} */
  const lines = [[]];
  let [x, width, y] = [0, 0, 0];
  for (const group of groups) {
    if (x && x + group.width > most) {
      lines.push([]);
      x = 0;
    }
    group.x = x;
    x += group.width + GAP_X;
    width = Math.max(width, x - GAP_X);
    lines[lines.length - 1].push(group);
  }
  for (const line of lines) {
    const height = Math.max(...line.map((group) => group.height));
    for (const group of line) group.y = y + (height - group.height) / 2;
    y += height + GAP_X;
  }
  return { width, height: y - GAP_X };
}

/** The ids of steps by the length of the longest path to them. @param {Node[]} nodes */
function layersOf(nodes) {
  const depths = depthsOf(nodes);
  /** @type {string[][]} */
  const layers = [];
  for (const { id } of nodes) (layers[depths.get(id) ?? 0] ??= []).push(id);
  return layers;
}

/** The length of the longest path to each step. Steps of a cycle get what is known of them. @param {Node[]} nodes */
function depthsOf(nodes) {
  const known = new Set(nodes.map((node) => node.id));
  /** @type {Map<string, number>} */
  const depths = new Map();
  /** @type {Map<string, string[]>} */
  const followers = new Map();
  const missing = new Map();
  for (const { id, needs } of nodes) {
    const own = needs.filter((need) => known.has(need));
    missing.set(id, own.length);
    depths.set(id, 0);
    for (const need of own) (followers.get(need) ?? followers.set(need, []).get(need))?.push(id);
  }
  const ready = nodes.filter(({ id }) => !missing.get(id)).map(({ id }) => id);
  for (const id of ready) {
    for (const follower of followers.get(id) ?? []) {
      depths.set(follower, Math.max(depths.get(follower) ?? 0, (depths.get(id) ?? 0) + 1));
      missing.set(follower, missing.get(follower) - 1);
      if (!missing.get(follower)) ready.push(follower);
    }
  }
  return depths;
}

/** Place steps with few crossing edges. @param {any} dagre @param {Node[]} nodes @returns {Layout} */
export function untangled(dagre, nodes) {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: GAP_Y, ranksep: GAP_X });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(nodes.map((node) => node.id));
  for (const { id } of nodes) graph.setNode(id, { width: WIDTH, height: HEIGHT });
  for (const { id, needs } of nodes) for (const need of needs) if (known.has(need)) graph.setEdge(need, id);
  dagre.layout(graph);
  const places = new Map(
    nodes.map(({ id }) => {
      const { x, y } = graph.node(id);
      return [id, { x: x - WIDTH / 2, y: y - HEIGHT / 2 }];
    }),
  );
  const { width, height } = graph.graph();
  return { places, width, height };
}

/**
 * The chain of steps that determined how long the run took: from the step that ended last, back over the
 * dependency that ended last.
 * @param {{id: string, needs: string[], ended: number | null}[]} steps @returns {Set<string>}
 */
export function criticalPath(steps) {
  const byId = new Map(steps.map((step) => [step.id, step]));
  /** @param {typeof steps} some */
  const lastOf = (some) => some.filter((step) => step.ended).sort((a, b) => (b.ended ?? 0) - (a.ended ?? 0))[0];
  const path = new Set();
  let step = lastOf(steps);
  while (step && !path.has(step.id)) {
    path.add(step.id);
    step = lastOf(step.needs.flatMap((id) => byId.get(id) ?? []));
  }
  return path;
}
