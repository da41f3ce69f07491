// What the console around a frame tells of itself: colours, language, place.
import { useSyncExternalStore } from "react";
import type { Look, Place } from "../../sdk/frame/messages";
import { setLanguage } from "../../sdk/words";

interface Outside {
  look: Look;
  place: Place;
}

const listeners = new Set<() => void>();
let current: Outside = { look: { scheme: "light", language: "en" }, place: { pathname: "/", search: "", hash: "" } };

export const outside = {
  now: () => current,
  change(part: Partial<Outside>) {
    if (part.look && part.look.language !== current.look.language) setLanguage(part.look.language);
    current = { ...current, ...part };
    for (const listener of listeners) listener();
  },
};

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export const useOutside = () => useSyncExternalStore(subscribe, outside.now);
