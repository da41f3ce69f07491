import { nonce } from "./app/secure";
import { MantineProvider } from "@mantine/core";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import "virtual:mantine.css";
import "./styles/console.css";
import { boot } from "../sdk/boot";
import { start } from "../sdk/stream";
import { weigh } from "../sdk/weight";
import { chooseLanguage, provide } from "../sdk/words";
import { App } from "./app/App";
import { loadHost } from "./app/host";
import { theme, variables } from "./app/theme";

async function begin() {
  weigh();
  chooseLanguage();
  const [host] = await Promise.all([loadHost(boot.host), start(), provide("de", async () => (await import("./words/german")).german())]);
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
