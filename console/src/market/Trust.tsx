// Who made a package, as far as this site knows it.
import { Group, Text } from "@mantine/core";
import { t as text, useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";
import type { Trust } from "../api/answers";

/** As much of a key's id as people compare. */
export const short = (keyid: string) => keyid.slice(0, 16);

/** Beside a publisher's name: this site trusts a key of theirs, and the package is signed with it. Nothing for any other package. */
export function VerifiedBadge({ trust }: { trust: Trust }) {
  const t = useT();
  if (trust.state !== "verified") return null;
  return <span className="hb-verified" role="img" aria-label={t("Verified publisher")} title={t("Verified publisher")}><Icon name="ShieldCheckIcon" size={15} /></span>;
}

/** The publisher's name with the badge; of what is not verified, whom the package itself names. */
export function Publisher({ trust, author }: { trust: Trust; author: string }) {
  return <Group gap={4} wrap="nowrap" component="span" style={{ display: "inline-flex" }}><span>{trust.state === "verified" ? trust.publisher : author}</span><VerifiedBadge trust={trust} /></Group>;
}

/** The same before a version or an id: nothing where the package names nobody. */
export function Maker({ trust, author }: { trust: Trust; author: string | null | undefined }) {
  return trust.state === "verified" || author ? <><Publisher trust={trust} author={author ?? ""} /> · </> : null;
}

/** What is known of a package's signature, in a sentence. */
export function signature(trust: Trust): string {
  const values = { publisher: trust.publisher, key: short(trust.keyid) };
  if (trust.state === "verified") return text("verified: {publisher}, key {key}", values);
  if (trust.state === "unknown") return text("by an unknown key {key}, in the name of {publisher}", values);
  if (trust.state === "invalid") return text("not valid: it can't be installed");
  return text("not signed");
}

/** The same in a plan, before somebody agrees; what nobody vouches for is among its warnings. */
export function SignedBy({ trust }: { trust: Trust }) {
  const t = useT();
  if (trust.state !== "verified") return null;
  return (
    <Group gap={6} wrap="nowrap">
      <span className="hb-verified"><Icon name="ShieldCheckIcon" size={18} /></span>
      <Text size="sm">{t("Signed by {publisher}, verified", { publisher: trust.publisher })} <Text span size="xs" c="dimmed" ff="monospace">{short(trust.keyid)}</Text></Text>
    </Group>
  );
}
