// How a plugin's settings are called, where its author let the schema make the name.

const SHORT: Record<string, string> = Object.fromEntries(
  ["AI", "API", "CA", "CPU", "CSS", "CSV", "DNS", "FTP", "GDPR", "HTML", "HTTP", "HTTPS", "IBAN", "ID", "IMAP", "IP", "JSON", "JWT", "LDAP", "LLM", "PDF", "PIN", "RAM",
    "SFTP", "SLA", "SMS", "SMTP", "SQL", "SSH", "SSL", "SSO", "TCP", "TLS", "TTL", "UI", "URI", "URL", "UTC", "UUID", "VAT", "VIP", "XML", "YAML"].map((word) => [word.toLowerCase(), word]),
);
const PLURAL = /^(\w{2,})s$/;

function word(text: string): string {
  const plural = PLURAL.exec(text)?.[1];
  return SHORT[text] ?? (plural && SHORT[plural] ? `${SHORT[plural]}s` : text);
}

/** `api_key`, titled `Api Key` by the schema, is `API key`. A title that its author wrote stays as it is. */
export function label(name: string, title?: string): string {
  const words = name.split(/[_\s]+/u).filter(Boolean).map((one) => one.toLowerCase());
  const made = words.join(" ");
  const authored = title !== undefined && (title.toLowerCase() !== made || !title.split(" ").every((one) => /^\P{Ll}/u.test(one)) || title === title.toUpperCase());
  if (authored) return title;
  const text = words.map(word).join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1) || name;
}

/** The parts of a text, of which every second one stood between backticks. */
export const coded = (text: string): string[] => (text.split("`").length % 2 ? text.split("`") : [text]);
