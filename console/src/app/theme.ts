import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";
import { boot } from "../../sdk/boot";

const DEFAULT = "#4553d9";

function mix(hex: string, other: number, share: number): string {
  const parts = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  const mixed = parts.map((part) => Math.round(part * (1 - share) + other * share));
  return `#${mixed.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

/** Ten shades of one colour, the seventh being the colour itself. */
export function shades(hex: string): MantineColorsTuple {
  const light = [0.93, 0.84, 0.68, 0.52, 0.34, 0.16].map((share) => mix(hex, 255, share));
  const dark = [0.12, 0.26, 0.42].map((share) => mix(hex, 0, share));
  return [...light, hex, ...dark] as unknown as MantineColorsTuple;
}

const FONT = 'Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

const TINTED = ["brand", "teal", "red", "yellow", "gray"];

// Text on the light scheme's tints and soft greys, dark enough to be read (4.5 to 1); the kit's own shades are not.
const READABLE = { "--mantine-color-dimmed": "#5c6370", "--mantine-color-teal-light": "#e0f6ee", "--mantine-color-yellow-light": "#fff5d6", "--mantine-color-red-light": "#fdeaea", "--mantine-color-teal-light-color": "#066649", "--mantine-color-yellow-light-color": "#7a4a00", "--mantine-color-red-light-color": "#b02020" };

/** Tints of the dark scheme: a light veil over the card, and text that can be read on it. */
export const variables: CSSVariablesResolver = () => {
  const veil = (color: string) => `color-mix(in srgb, var(--mantine-color-${color}-5) 18%, transparent)`;
  const each = TINTED.flatMap((color) => [
    [`--mantine-color-${color}-light`, veil(color)],
    [`--mantine-color-${color}-light-hover`, `color-mix(in srgb, var(--mantine-color-${color}-5) 26%, transparent)`],
    [`--mantine-color-${color}-light-color`, `var(--mantine-color-${color}-3)`],
  ]);
  const primary = [["--mantine-primary-color-light", veil("brand")], ["--mantine-primary-color-light-color", "var(--mantine-color-brand-2)"]];
  const page = [["--mantine-color-body", "#14161b"], ["--mantine-color-default", "#1b1f26"], ["--mantine-color-default-border", "#2e3440"], ["--table-border-color", "#262a33"]];
  return { variables: {}, light: READABLE, dark: Object.fromEntries([...each, ...primary, ...page]) };
};

export const theme = createTheme({
  primaryColor: "brand",
  primaryShade: 6,
  autoContrast: true,
  // Below it white is read better than black (4.5 to 1 or more), above it black, whatever colour the host chose.
  luminanceThreshold: 0.179,
  colors: {
    red: ["#fff0f0", "#ffe3e3", "#ffc9c9", "#ffa8a8", "#ff8787", "#f76565", "#d62828", "#c02121", "#b02020", "#8f1a1a"],
    brand: shades(boot.brand.color || DEFAULT),
    dark: ["#d5d8df", "#b9bec9", "#949aa8", "#6f7686", "#3c4250", "#2c313c", "#22262f", "#191c23", "#121419", "#0c0d11"],
  },
  fontFamily: FONT,
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
  headings: { fontFamily: FONT, fontWeight: "650" },
  defaultRadius: "md",
  cursorType: "pointer",
  components: {
    Button: { defaultProps: { fw: 550 } },
    Modal: { defaultProps: { centered: true, radius: "lg", overlayProps: { backgroundOpacity: 0.45, blur: 2 } } },
    Card: { defaultProps: { radius: "lg" } },
    // The first entry gets the focus; the kit's placeholder is no entry, and screen readers count it as one.
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    Badge: { defaultProps: { radius: "sm", fw: 600 }, styles: { root: { textTransform: "none", letterSpacing: 0 } } },
    Table: { defaultProps: { verticalSpacing: "sm", horizontalSpacing: "md" } },
  },
});
