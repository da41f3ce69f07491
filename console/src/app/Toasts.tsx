import { Notification } from "@mantine/core";
import { useEffect, useState } from "react";
import { install, type Note } from "../../sdk/doors";
import { useT } from "../../sdk/words";

const COLORS = { info: "brand", success: "teal", warning: "yellow", error: "red" };
const STAY_MS = 6000;
let count = 0;

/** Notes in the corner of the window; screen readers read them as they come. */
export function Toasts() {
  const t = useT();
  const [notes, setNotes] = useState<(Note & { id: number })[]>([]);
  useEffect(() => {
    const drop = (id: number) => setNotes((all) => all.filter((note) => note.id !== id));
    install({
      show: (note) => {
        count += 1;
        const id = count;
        setNotes((all) => [...all.slice(-4), { ...note, id }]);
        if (note.stay !== 0) setTimeout(() => drop(id), note.stay ?? STAY_MS);
      },
    });
  }, []);
  return (
    <div className="hb-toasts" role="status" aria-live="polite">
      {notes.map((note) => (
        <Notification key={note.id} color={COLORS[note.kind ?? "info"]} title={note.title} withBorder closeButtonProps={{ "aria-label": t("Close") }} onClose={() => setNotes((all) => all.filter((one) => one.id !== note.id))}>{note.message}</Notification>
      ))}
    </div>
  );
}
