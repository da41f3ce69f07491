/** What the server says in the page itself, before anything is asked. */
export interface Boot {
  /** The prefix of the host's API, for example `/api/v1`, with the host's root path. */
  api: string;
  /** Where the console lives: `/` or `/admin`, with the host's root path. */
  console: string;
  brand: { name: string; logo: string; color: string };
  /** Where one logs in, when neither the host's pages nor a plugin's have a page `/login`. */
  login: string;
  /** The module with the host's own pages, if there is one. */
  host: { module: string; styles: string[] } | null;
  /** The page for frontends that the host does not trust. */
  frame: string;
  safeMode: boolean;
  version: string;
}

const NOTHING: Boot = {
  api: "/api/v1",
  console: "/",
  brand: { name: "Hotbay", logo: "", color: "" },
  login: "",
  host: null,
  frame: "/hotbay/frame",
  safeMode: false,
  version: "",
};

function read(): Boot {
  const text = typeof document === "undefined" ? null : document.getElementById("hotbay-boot")?.textContent;
  return text ? { ...NOTHING, ...(JSON.parse(text) as Partial<Boot>) } : NOTHING;
}

export const boot: Boot = read();
