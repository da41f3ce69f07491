import { MantineProvider, type MantineColorSchemeManager } from "@mantine/core";
import { useEffect } from "react";
import { type Navigator, Route, Router, Routes } from "react-router";
import { Contribution } from "../../sdk/Contribution";
import { navigate } from "../../sdk/doors";
import type { Loadable } from "../../sdk/modules";
import type { PluginEntry, Where } from "../../sdk/types";
import { nonce } from "../app/secure";
import { theme, variables } from "../app/theme";
import { useOutside } from "./outside";

type To = Parameters<Navigator["push"]>[0];

const text = (to: To) => (typeof to === "string" ? to : `${to.pathname ?? ""}${to.search ?? ""}${to.hash ?? ""}`);

// The console goes there, and tells where it is; a frame has no history of its own.
const navigator: Navigator = {
  createHref: text,
  go: () => undefined,
  push: (to) => navigate(text(to)),
  replace: (to) => navigate(text(to), { replace: true }),
};

// The colours are the console's; a frame remembers nothing.
const colours: MantineColorSchemeManager = { get: (usual) => usual, set: () => undefined, subscribe: () => undefined, unsubscribe: () => undefined, clear: () => undefined };

interface Props {
  plugin: PluginEntry;
  entry: Loadable & { path?: string };
  where: Where;
  shown: () => void;
}

/** One contribution, among the same providers as in the console. */
export function FrameApp({ plugin, entry, where, shown }: Props) {
  const { look, place } = useOutside();
  useEffect(shown, []);
  const content = <Contribution plugin={plugin} entry={entry} where={where} />;
  return (
    <MantineProvider theme={theme} cssVariablesResolver={variables} forceColorScheme={look.scheme} colorSchemeManager={colours} getStyleNonce={() => nonce}>
      <Router location={place} navigator={navigator}>
        {where.kind === "page" ? <Routes><Route path={where.name} element={content} /></Routes> : content}
      </Router>
    </MantineProvider>
  );
}
