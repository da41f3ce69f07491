// The console's build: native ES modules, of which some are shared with plugins through one import map.
//
// React is CommonJS: each shared module is an entry with explicit named exports, and all entries share their chunks,
// so that shell and plugins have one React, one router and one theme between them.
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { manifest } from "./tools/manifest.mjs";
import { names, shared, SHARED } from "./tools/shared.mjs";
import { worn } from "./tools/worn.mjs";

const here = dirname(fileURLToPath(import.meta.url));

export default defineConfig({
  root: here,
  base: "/hotbay/",
  publicDir: false,
  logLevel: "warn",
  resolve: {
    alias: {
      "@hotbay/sdk": resolve(here, "sdk/index.ts"),
      "@hotbay/ui": resolve(here, "ui/index.ts"),
    },
  },
  define: { "process.env.NODE_ENV": '"production"' },
  plugins: [shared(), worn(), manifest({ out: resolve(here, process.env.HOTBAY_STATIC ?? "../src/hotbay/console/static") })],
  build: {
    target: "es2022",
    outDir: process.env.HOTBAY_STATIC ?? "../src/hotbay/console/static",
    assetsDir: "shell",
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    chunkSizeWarningLimit: 2000,
    rollupOptions: {
      // Libraries mark their modules for servers that render React; there is none here.
      onLog: (level, log, next) => (log.code === "MODULE_LEVEL_DIRECTIVE" ? undefined : next(level, log)),
      preserveEntrySignatures: "strict",
      input: { main: resolve(here, "src/main.tsx"), frame: resolve(here, "src/frame/main.tsx"), ...Object.fromEntries(SHARED.map((name) => [names(name), `shared:${name}`])) },
      output: {
        entryFileNames: "shell/[name]-[hash].js",
        chunkFileNames: "shell/[name]-[hash].js",
        assetFileNames: "shell/[name]-[hash][extname]",
      },
    },
  },
});
