// How much room a frame needs: its content's height, or, when a widget only floats, where it floats.
import type { Box, FromFrame } from "../../sdk/frame/messages";

const PORTALS = "[data-portal] > *, [data-mantine-shared-portal-node] > *";
const DIALOG = 560;

function visible(element: Element): DOMRect | null {
  const rect = element.getBoundingClientRect();
  return rect.width > 0 && rect.height > 0 ? rect : null;
}

function floating(root: Element): DOMRect[] {
  const fixed = [...root.querySelectorAll("*")].filter((one) => getComputedStyle(one).position === "fixed");
  return [...fixed, ...document.querySelectorAll(PORTALS)].map(visible).filter((one) => one !== null);
}

function measured(root: HTMLElement, floats: boolean): FromFrame {
  const height = root.getBoundingClientRect().height;
  const over = floats && height === 0 ? floating(root) : [];
  if (over.length) {
    const side = (pick: (...all: number[]) => number, name: "left" | "top" | "right" | "bottom") => pick(...over.map((one) => one[name]));
    const box: Box = [side(Math.min, "left"), side(Math.min, "top"), side(Math.max, "right"), side(Math.max, "bottom")];
    return { kind: "float", box };
  }
  if (document.querySelector('[role="dialog"]')) return { kind: "size", height: Math.max(height, DIALOG) };
  const opened = [...document.querySelectorAll(PORTALS)].map(visible).map((one) => (one ? one.bottom + scrollY : 0));
  return { kind: "size", height: Math.max(height, ...opened) };
}

/** Tell how much room is needed, at each change. */
export function watchSize(root: HTMLElement, floats: boolean, tell: (message: FromFrame) => void) {
  let due = false;
  let before = "";
  const look = () => {
    due = false;
    const found = measured(root, floats);
    const text = JSON.stringify(found);
    if (text !== before) tell(found);
    before = text;
  };
  const soon = () => {
    if (due) return;
    due = true;
    // Not the next painting: a frame that nobody sees is not painted, and could never grow.
    setTimeout(look, 0);
  };
  new ResizeObserver(soon).observe(root);
  new MutationObserver(soon).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  addEventListener("resize", soon);
  addEventListener("load", soon, true);
  look();
}
