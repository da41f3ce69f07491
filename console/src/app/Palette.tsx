import { Modal, Text, TextInput } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useEffect, useMemo, useState } from "react";
import { useNavigate } from "react-router";
import { report } from "../../sdk/Contribution";
import { notify } from "../../sdk/doors";
import { loadFunction } from "../../sdk/modules";
import { useRegistry } from "../../sdk/registry";
import { language, LANGUAGES, setLanguage, useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";
import { useHost } from "./hostContext";
import { sections } from "./menu";

interface Option {
  id: string;
  title: string;
  group: string;
  icon: string | null;
  run: () => void;
}

let open: () => void = () => undefined;

/** Open the palette. */
export const openPalette = () => open();

function useOptions(): Option[] {
  const t = useT();
  const go = useNavigate();
  const host = useHost();
  const registry = useRegistry();
  return useMemo(() => {
    const pages = sections(host, registry).flatMap(({ name, entries }) =>
      entries.map((entry) => ({ id: `page ${entry.href}`, title: t(entry.name), group: t(name || "Pages"), icon: entry.icon ?? null, run: () => void go(entry.href) })));
    const commands = registry.plugins.flatMap((plugin) => (plugin.contributions.commands ?? []).map((command) => ({
      id: `${plugin.id} ${command.id}`,
      title: t(command.title),
      group: plugin.name,
      icon: command.icon ?? null,
      run: () => {
        if (command.href) return void go(command.href);
        const entry = { module: command.module ?? "", export: command.export ?? "default" };
        loadFunction(plugin, entry).then((found) => (found as () => unknown)()).catch((error: unknown) => {
          notify({ kind: "error", message: t("{name} failed", { name: t(command.title) }) });
          report(plugin, { kind: "command", name: command.id }, error);
        });
      },
    })));
    const languages = Object.entries(LANGUAGES).filter(([tag]) => tag !== language())
      .map(([tag, name]) => ({ id: `language ${tag}`, title: name, group: t("Language"), icon: "LanguageIcon", run: () => setLanguage(tag) }));
    return [...pages, ...commands, ...languages];
  }, [host, registry, t, go, language()]);
}

/** What is typed, and what fits it. `close` is called before what was chosen runs. */
function Search({ close }: { close: () => void }) {
  const t = useT();
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const options = useOptions();
  const found = options.filter((one) => words.toLowerCase().split(/\s+/).every((part) => `${one.title} ${one.group}`.toLowerCase().includes(part)));
  const chosen = Math.min(at, Math.max(0, found.length - 1));
  const run = (option: Option | undefined) => {
    close();
    option?.run();
  };
  const onKey = (event: React.KeyboardEvent) => {
    if (event.key === "Enter") run(found[chosen]);
    else if (event.key === "ArrowDown") setAt(Math.min(chosen + 1, found.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(chosen - 1, 0));
    else return;
    event.preventDefault();
  };
  return (
    <>
      <TextInput data-autofocus value={words} onChange={(event) => { setWords(event.currentTarget.value); setAt(0); }} onKeyDown={onKey} size="md" variant="unstyled" px={8}
        placeholder={t("Search or jump to …")} leftSection={<Icon name="MagnifyingGlassIcon" size={18} />}
        role="combobox" aria-expanded="true" aria-controls="hb-options" aria-activedescendant={found.length ? `hb-option-${chosen}` : undefined} aria-label={t("Search or jump to …")} />
      <div id="hb-options" role="listbox" aria-label={t("Pages")} style={{ maxHeight: "48vh", overflow: "auto", borderTop: "1px solid var(--hb-line)", paddingTop: 6 }}>
        {found.map((option, index) => (
          <button key={option.id} id={`hb-option-${index}`} type="button" role="option" tabIndex={-1} aria-selected={index === chosen} className="hb-option" onMouseMove={() => setAt(index)} onClick={() => run(option)}>
            <Icon name={option.icon} size={17} /><span>{option.title}</span><small>{option.group}</small>
          </button>
        ))}
        {found.length ? null : <Text size="sm" c="dimmed" p="md">{t("Nothing fits.")}</Text>}
      </div>
    </>
  );
}

/** Ctrl K: every page and command by its name. Nothing of it is made until it is opened. */
export function Palette() {
  const t = useT();
  const [shown, setShown] = useState(false);
  const close = () => setShown(false);
  useEffect(() => {
    open = () => setShown(true);
  }, []);
  useHotkeys([["mod+K", () => setShown((old) => !old)]], [], true);
  return (
    <Modal.Root opened={shown} onClose={close} transitionProps={{ duration: 0 }} padding={8} yOffset="12vh" centered={false} size={560}>
      <Modal.Overlay />
      <Modal.Content aria-label={t("Search or jump to …")} p={8}><Search close={close} /></Modal.Content>
    </Modal.Root>
  );
}
