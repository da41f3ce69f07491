import { Button, FileButton } from "@mantine/core";
import { useEffect, useState } from "react";
import { useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";

type Take = (file: File, signature: File | undefined) => void;

/** Of files that came together: the package, and the signature if it is among them. */
function take(files: Iterable<File>, onFile: Take) {
  const all = [...files];
  const signs = (file: File) => file.name.endsWith(".sig.json");
  const file = all.find((one) => !signs(one));
  if (file) onFile(file, all.find(signs));
}

/** Takes a package, and its signature with it: by a button, or dropped anywhere onto the page. */
export function Upload({ onFile }: { onFile: Take }) {
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
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      setOver(false);
      take(event.dataTransfer.files, onFile);
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
      <FileButton multiple accept=".zip,.gz,.tgz,.json" onChange={(files) => take(files, onFile)}>
        {(props) => <Button {...props} variant="default" leftSection={<Icon name="ArrowUpTrayIcon" size={16} />}>{t("Upload a package")}</Button>}
      </FileButton>
      {over ? <div className="hb-drop" data-over="true" style={{ position: "fixed", inset: 24, zIndex: 400, display: "grid", placeItems: "center", background: "color-mix(in srgb, var(--hb-page) 85%, transparent)" }}>{t("Drop the package to install it")}</div> : null}
    </>
  );
}
