// Mantine's styles without those of components that nobody can have: neither the console nor `@hotbay/ui` has them.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";

const require = createRequire(import.meta.url);
const NAME = "virtual:mantine.css";
const RENDERED = /([A-Za-z]+)\.module\.css\.m?js$/;

/** Components whose styles are left out. */
export const UNWORN = [
  "ActionBar", "Affix", "AngleSlider", "AspectRatio", "BackgroundImage", "Blockquote", "Cascader", "ColorInput", "ColorPicker",
  "ColorSwatch", "DataList", "Dialog", "EmptyState", "Fieldset", "FloatingWindow", "Mark", "Marquee", "Menubar", "OverflowList",
  "PinInput", "Rating", "RingProgress", "RollingNumber", "Scroller", "SemiCircleProgress", "Splitter", "Spoiler", "Stepper",
  "TableOfContents", "Toggle", "Toolbar", "Tour", "Tree", "TreeSelect", "Typography",
];

/** The text between the braces of `@layer mantine { … }`. */
const inside = (sheet) => sheet.slice(sheet.indexOf("{") + 1, sheet.lastIndexOf("}")).trim();
const read = (file) => readFileSync(require.resolve(`@mantine/core/${file}`), "utf8");

/** All styles in their order, less the unworn. Raises when Mantine's files are made otherwise than they were. */
export function wornStyles() {
  return UNWORN.reduce((all, name) => {
    const parts = all.split(inside(read(`styles/${name}.layer.css`)));
    if (parts.length !== 2) throw new Error(`the styles of ${name} are ${parts.length - 1} times in Mantine's, not once`);
    return parts.join("");
  }, read("styles.layer.css"));
}

/** A plugin for Vite that answers `virtual:mantine.css`, and refuses a build that wears what was left out. */
export function worn() {
  return {
    name: "hotbay-worn",
    resolveId: (id) => (id === NAME ? `\0${NAME}` : null),
    load: (id) => (id === `\0${NAME}` ? wornStyles() : null),
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((one) => Object.keys(one.modules ?? {}));
      const named = modules.map((id) => basename(id).match(RENDERED)?.[1]).filter(Boolean);
      const missing = [...new Set(named)].filter((name) => UNWORN.includes(name));
      if (missing.length) this.error(`take ${missing.join(", ")} out of UNWORN in tools/worn.mjs: it is in use`);
    },
  };
}
