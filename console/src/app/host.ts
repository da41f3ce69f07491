import type { Boot } from "../../sdk/boot";
import { styles } from "../../sdk/modules";
import type { Host, PluginEntry } from "../../sdk/types";
import { addMessages } from "../../sdk/words";

/** Take the host's own pages; a console without them is complete, too. */
export async function loadHost(where: Boot["host"]): Promise<Host> {
  if (!where) return {};
  const sheet: PluginEntry = { id: "host", name: "", version: "", digest: "", base: "/", styles: where.styles.map((file) => file.slice(1)), contributions: {} };
  const [module] = await Promise.all([import(/* @vite-ignore */ new URL(where.module, location.origin).href) as Promise<{ default: Host }>, styles(sheet)]);
  if (module.default.messages) addMessages(module.default.messages);
  return module.default;
}
