// @ts-check
/** Which part of a picture is visible. Drag to move, scroll with Ctrl to zoom. */

import { useEffect, useRef, useState } from "./html.js";

/** @typedef {{x: number, y: number, width: number, height: number}} Rect */

const DRAGGED_PX = 4;

/** Whether two rectangles have a common point. @param {Rect} a @param {Rect} b */
export const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/**
 * @param {{width: number, height: number} | null} picture
 * @param {number} [most] the largest scale at first: of a picture that is wider, the left part is visible
 * @returns {{ref: any, box: Rect, scale: number, fit: () => void, zoom: (factor: number) => void, show: (rect: Rect) => void, center: (x: number, y: number) => void, handlers: any}}
 *   `scale` is the number of units of the picture in one pixel
 */
export function useViewBox(picture, most = Infinity) {
  const ref = useRef(/** @type {any} */ (null));
  const drag = useRef(/** @type {any} */ (null));
  const [box, setBox] = useState({ x: 0, y: 0, width: 1000, height: 400 });
  const shape = () => ref.current?.getBoundingClientRect() ?? { width: 1000, height: 400 };
  const scale = box.width / useWidth(ref, picture);
  /** @param {Rect} rect @param {number} [least] the smallest scale */
  const show = (rect, least = 1) => {
    const { width, height } = shape();
    const by = Math.max(least, rect.width / width, rect.height / height) * 1.04;
    setBox(around(rect.x + rect.width / 2, rect.y + rect.height / 2, width * by, height * by));
  };
  const fit = () => picture && show({ x: 0, y: 0, width: picture.width, height: picture.height });
  useEffect(() => {
    if (!picture) return;
    const { width } = shape();
    if (picture.width <= width * most) fit();
    else show({ x: 0, y: 0, width: width * most, height: picture.height });
  }, [picture]);
  const zoom = (/** @type {number} */ factor) => setBox(({ x, y, width, height }) => around(x + width / 2, y + height / 2, width / factor, height / factor));
  const center = (/** @type {number} */ x, /** @type {number} */ y) => setBox(({ width, height }) => around(x, y, width, height));
  const handlers = {
    onPointerDown: (/** @type {PointerEvent} */ event) => (drag.current = { x: event.clientX, y: event.clientY, far: 0 }),
    onPointerMove: (/** @type {PointerEvent} */ event) => {
      const from = drag.current;
      if (!from || !event.buttons) return;
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      drag.current = { x: event.clientX, y: event.clientY, far: from.far + Math.abs(dx) + Math.abs(dy) };
      setBox((old) => ({ ...old, x: old.x - dx * scale, y: old.y - dy * scale }));
    },
    onClickCapture: (/** @type {MouseEvent} */ event) => {
      if (drag.current?.far > DRAGGED_PX) event.stopPropagation();
      drag.current = null;
    },
    onWheel: (/** @type {WheelEvent} */ event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1);
    },
  };
  return { ref, box, scale, fit, zoom, show, center, handlers };
}

/** The width of an element in pixels. To ask for it in each rendering would lay the page out each time. @param {any} ref @param {unknown} shown changes when the element is there */
function useWidth(ref, shown) {
  const [width, setWidth] = useState(1000);
  useEffect(() => {
    if (!ref.current) return;
    const observer = new ResizeObserver(([{ contentRect }]) => setWidth(contentRect.width || 1000));
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [shown]);
  return width;
}

/** @param {number} x @param {number} y @param {number} width @param {number} height @returns {Rect} */
const around = (x, y, width, height) => ({ x: x - width / 2, y: y - height / 2, width, height });

/** The attribute `viewBox`. @param {Rect} box */
export const viewBoxOf = ({ x, y, width, height }) => `${x} ${y} ${width} ${height}`;
