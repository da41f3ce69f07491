// Entries for the modules that plugins may import by their bare names.
import { createRequire } from "node:module";
import { ROUTER } from "./router.mjs";

const require = createRequire(import.meta.url);
const COMMONJS = ["react", "react/jsx-runtime", "react-dom", "react-dom/client"];

/** The only bare imports that a plugin may use; the import map names exactly these. */
export const SHARED = [...COMMONJS, "react-router", "@hotbay/sdk", "@hotbay/ui"];

/** `react/jsx-runtime` → `react-jsx-runtime`: a name for a file. */
export const names = (name) => name.replace("@", "").replaceAll("/", "-");

/** A module of CommonJS has no names that a linker sees: they are asked of the module itself, once, here. */
function namedExports(name) {
  const found = Object.keys(require(name)).filter((key) => key !== "default" && /^[A-Za-z_$][\w$]*$/.test(key));
  return `import * as all from ${JSON.stringify(name)};\nexport { default } from ${JSON.stringify(name)};\n` +
    found.map((key) => `export const ${key} = all.${key};`).join("\n");
}

/** A plugin for Vite that answers `shared:NAME`. */
export function shared() {
  return {
    name: "hotbay-shared",
    resolveId: (id) => (id.startsWith("shared:") ? `\0${id}` : null),
    load(id) {
      if (!id.startsWith("\0shared:")) return null;
      const name = id.slice("\0shared:".length);
      if (name === "react-router") return `export { ${ROUTER.join(", ")} } from "react-router";`;
      return COMMONJS.includes(name) ? namedExports(name) : `export * from ${JSON.stringify(name)};`;
    },
  };
}
