import { Button, FileButton } from "@mantine/core";
import { useEffect, useState } from "react";
import { useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";

/** Takes a package: by a button, or dropped anywhere onto the page. */
export function Upload({ onFile }: { onFile: (file: File) => void }) {
  const t = useT();
  const [over, setOver] = useState(false);
  useEffect(() => {
    const move = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => event.relatedTarget === null && setOver(false);
    const drop = (event: DragEvent) => {
      const file = event.dataTransfer?.files[0];
      if (!file) return;
      event.preventDefault();
      setOver(false);
      onFile(file);
    };
    document.addEventListener("dragover", move);
    document.addEventListener("dragleave", leave);
    document.addEventListener("drop", drop);
    return () => {
      document.removeEventListener("dragover", move);
      document.removeEventListener("dragleave", leave);
      document.removeEventListener("drop", drop);
    };
  }, [onFile]);
  return (
    <>
      <FileButton accept=".zip,.gz,.tgz" onChange={(file) => file && onFile(file)}>
        {(props) => <Button {...props} variant="default" leftSection={<Icon name="ArrowUpTrayIcon" size={16} />}>{t("Upload a package")}</Button>}
      </FileButton>
      {over ? <div className="hb-drop" data-over="true" style={{ position: "fixed", inset: 24, zIndex: 400, display: "grid", placeItems: "center", background: "color-mix(in srgb, var(--hb-page) 85%, transparent)" }}>{t("Drop the package to install it")}</div> : null}
    </>
  );
}
