// The pictures that a package brings, small in a row, and large when somebody looks at one.
import { Image, Modal, ScrollArea, UnstyledButton } from "@mantine/core";
import { useState } from "react";
import { boot } from "../../sdk/boot";
import { useT } from "../../sdk/words";

export function Screenshots({ id, names }: { id: string; names: string[] }) {
  const t = useT();
  const [shown, setShown] = useState<number | null>(null);
  if (!names.length) return null;
  const address = (name: string) => `${boot.api}/marketplace/addons/${id}/screenshots/${name}`;
  const alt = (number: number) => t("Picture {number} of {count}", { number: number + 1, count: names.length });
  return (
    <>
      <ScrollArea type="auto" mb="lg" offsetScrollbars>
        <div style={{ display: "flex", gap: 12 }}>
          {names.map((name, number) => (
            <UnstyledButton key={name} onClick={() => setShown(number)} aria-label={alt(number)}>
              <Image src={address(name)} alt="" h={160} w="auto" radius="md" style={{ border: "1px solid var(--mantine-color-default-border)" }} />
            </UnstyledButton>
          ))}
        </div>
      </ScrollArea>
      <Modal opened={shown !== null} onClose={() => setShown(null)} size="xl" title={t("Picture")} closeButtonProps={{ "aria-label": t("Close") }}>
        {shown !== null ? <Image src={address(names[shown] ?? "")} alt={alt(shown)} /> : null}
      </Modal>
    </>
  );
}
