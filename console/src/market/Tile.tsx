import { Icon } from "../../ui/Icon";

const BY_CATEGORY: Record<string, string> = {
  communication: "ChatBubbleLeftRightIcon", payment: "CreditCardIcon", payments: "CreditCardIcon", security: "ShieldCheckIcon", analytics: "ChartBarIcon",
  marketing: "MegaphoneIcon", office: "FolderIcon", domains: "GlobeAltIcon", billing: "ReceiptPercentIcon",
};

function hue(text: string): number {
  let total = 0;
  for (const char of text) total = (total * 31 + (char.codePointAt(0) ?? 0)) % 360;
  return total;
}

/** A plugin's icon on a tile whose colour stays the plugin's own. */
export function Tile({ id, icon, category, size = 48 }: { id: string; icon?: string | null | undefined; category?: string | null | undefined; size?: number }) {
  const shown = icon || BY_CATEGORY[(category ?? "").toLowerCase()] || "PuzzlePieceIcon";
  const tint = hue(id);
  const style = { width: size, height: size, fontSize: size * 0.5, "--hb-tile": `hsl(${tint} 70% 55% / 16%)`, "--hb-ink": `hsl(${tint} 60% 45%)` } as React.CSSProperties;
  return <span className="hb-tile" style={style} aria-hidden="true"><Icon name={shown} size={size * 0.55} /></span>;
}
