import { Button, type ButtonProps } from "@mantine/core";
import { type MouseEvent, type ReactNode, useState } from "react";

/** A button that asks back before it does what can't be undone. Whoever goes elsewhere, or clicked twice at once, has not agreed. */
export function SureButton({ children, ask, label, onSure, ...rest }: { children: ReactNode; ask: string; label?: string; onSure: () => void } & ButtonProps) {
  const [asking, setAsking] = useState(false);
  const click = (event: MouseEvent) => {
    if (event.detail > 1) return;
    setAsking(!asking);
    if (asking) onSure();
  };
  return <Button {...rest} color="red" variant={asking ? "filled" : (rest.variant ?? "default")} aria-label={asking ? undefined : label} onClick={click} onBlur={() => setAsking(false)}>{asking ? ask : children}</Button>;
}
