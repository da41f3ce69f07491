import { MantineProvider } from "@mantine/core";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import "@mantine/core/styles.layer.css";
import "./styles/console.css";
import { boot } from "../sdk/boot";
import { start } from "../sdk/stream";
import { addMessages, chooseLanguage } from "../sdk/words";
import { App } from "./app/App";
import { loadHost } from "./app/host";
import { theme, variables } from "./app/theme";
import { GERMAN } from "./words/de";

const nonce = document.getElementById("hotbay-main")?.nonce ?? "";
// Libraries that make style elements read it under this name.
globalThis.__webpack_nonce__ = nonce;

interface Policies {
  createPolicy(name: string, rules: { createHTML: (text: string) => string | null }): unknown;
}

// Libraries set the text of style elements through innerHTML; text that could be an element is refused.
(globalThis as { trustedTypes?: Policies }).trustedTypes?.createPolicy("default", {
  createHTML: (text) => (text.includes("<") ? null : text),
});

async function begin() {
  chooseLanguage();
  addMessages({ de: GERMAN });
  const [host] = await Promise.all([loadHost(boot.host), start()]);
  const root = document.getElementById("root");
  if (!root) return;
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto" getStyleNonce={() => nonce}>
        <BrowserRouter basename={boot.console.replace(/\/$/, "")}>
          <App host={host} />
        </BrowserRouter>
      </MantineProvider>
    </StrictMode>,
  );
}

void begin();
