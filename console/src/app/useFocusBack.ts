import { type RefObject, useEffect } from "react";

const REACHABLE = "a[href], button:not(:disabled), input:not(:disabled)";

/** Where the focus goes when a dialog is gone: what had it before, else what stands in the same place now. */
export function useFocusBack() {
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const place = before?.closest<HTMLElement>("article, tr, main");
    return () => {
      // What the dialog did changes the page around it: a button may be about to give way to another one.
      const back = () => {
        const lost = !document.activeElement || document.activeElement === document.body;
        if (lost) (before?.isConnected ? before : (place?.isConnected ? place : document).querySelector<HTMLElement>(REACHABLE))?.focus();
      };
      for (const wait of [0, 100, 500, 1500]) setTimeout(back, wait);
    };
  }, []);
}

/** Keeps the focus in a part of a dialog that took the place of another: first on the part, when `ended` on its last button. */
export function useFocusInside(part: RefObject<HTMLElement | null>, ended: boolean) {
  useEffect(() => {
    const buttons = part.current?.querySelectorAll<HTMLElement>("button:not(:disabled)") ?? [];
    (ended ? (buttons[buttons.length - 1] ?? part.current) : part.current)?.focus();
  }, [part, ended]);
}
