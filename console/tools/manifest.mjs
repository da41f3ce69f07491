// What Python reads of the build: the import map, what the shared modules export, and the page.
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { names, SHARED } from "./shared.mjs";

const require = createRequire(import.meta.url);
const TEXT = /\.(js|css|json|svg)$/;

const digest = (data) => `sha384-${createHash("sha384").update(data).digest("base64")}`;
const write = (file, value) => writeFileSync(file, `${JSON.stringify(value, null, 1)}\n`);

/** A plugin for Vite that writes `importmap.json`, `exports.json`, `entry.json` and `bin/esbuild` beside the files. */
export function manifest({ out }) {
  let chunks = [];
  return {
    name: "hotbay-manifest",
    apply: "build",
    writeBundle(_, bundle) {
      chunks = Object.values(bundle);
    },
    closeBundle() {
      if (chunks.length === 0) return;
      const entries = Object.fromEntries(chunks.filter((one) => one.isEntry).map((one) => [one.name, one]));
      const files = readdirSync(join(out, "shell"));
      const url = (file) => `/hotbay/${file}`;
      const integrity = files.filter((file) => file.endsWith(".js"))
        .map((file) => [url(`shell/${file}`), digest(readFileSync(join(out, "shell", file)))]);
      write(join(out, "importmap.json"), {
        imports: Object.fromEntries(SHARED.map((name) => [name, url(entries[names(name)].fileName)])),
        integrity: Object.fromEntries(integrity),
      });
      write(join(out, "exports.json"), Object.fromEntries(SHARED.map((name) => [name, [...entries[names(name)].exports].sort()])));
      const styles = files.filter((file) => file.endsWith(".css")).map((file) => url(`shell/${file}`));
      const page = (entry) => ({ main: url(entry.fileName), preload: entry.imports.map(url) });
      write(join(out, "entry.json"), { ...page(entries.main), frame: page(entries.frame), styles });
      for (const file of files.filter((name) => TEXT.test(name))) compress(join(out, "shell", file));
      copyEsbuild(join(out, "bin"));
    },
  };
}

function compress(file) {
  const data = readFileSync(file);
  writeFileSync(`${file}.br`, brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } }));
  writeFileSync(`${file}.gz`, gzipSync(data, { level: 9 }));
}

/** The compiler for plugins' sources: the binary of this platform, as npm ships it. */
function copyEsbuild(folder) {
  const name = `@esbuild/${process.platform}-${process.arch}`;
  const binary = join(dirname(require.resolve(`${name}/package.json`, { paths: [require.resolve("esbuild")] })), "bin", "esbuild");
  mkdirSync(folder, { recursive: true });
  copyFileSync(binary, join(folder, "esbuild"));
  chmodSync(join(folder, "esbuild"), 0o755);
}
