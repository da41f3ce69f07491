import { lazy, Suspense } from "react";
import { COMMON, type Svg } from "./commonIcons";

const late = new Map<string, Svg>();

/** The icons that are not on every page come when one of them is asked for first. */
function lateIcon(name: string): Svg {
  const known = late.get(name);
  if (known) return known;
  const made = lazy(async () => {
    const all: Record<string, unknown> = await import("@heroicons/react/24/outline");
    return { default: (all[name] ?? COMMON.CubeIcon) as Svg };
  });
  late.set(name, made);
  return made;
}

export interface IconProps {
  /** A name of Heroicons (`ChatBubbleLeftRightIcon`, the ending may be left out), or an emoji. */
  name?: string | null | undefined;
  /** In pixels. */
  size?: number;
  className?: string | undefined;
}

/** An icon by its name, as manifests and `addon.config.ts` give it; decoration, hidden from screen readers. */
export function Icon({ name, size = 20, className }: IconProps) {
  const wanted = name || "CubeIcon";
  if (!/^[A-Za-z0-9]+$/.test(wanted)) {
    return <span aria-hidden="true" className={className} style={{ fontSize: size * 0.9, lineHeight: 1 }}>{wanted}</span>;
  }
  const full = wanted.endsWith("Icon") ? wanted : `${wanted}Icon`;
  const Found = COMMON[full] ?? lateIcon(full);
  const room = <span className={className} style={{ display: "inline-block", width: size, height: size }} />;
  return (
    <Suspense fallback={room}>
      <Found width={size} height={size} aria-hidden="true" className={className} />
    </Suspense>
  );
}
